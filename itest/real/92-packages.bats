#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What share/ has for other distributions, as far as their tools are at hand: OpenWrt's Makefile
# by a stub of its rules, the expression for Nix and the profile for AppArmor by their parsers.

load ../helpers

setup()
{
	common_setup
}

# The rules of OpenWrt's tree that the Makefile includes: each package is compiled, and installed.
openwrt_stub()
{
	mkdir "$DIR/include"
	cat >"$DIR/rules.mk" <<-EOT
		INCLUDE_DIR := $DIR/include
		STAGING_DIR := $DIR/staging
		PKG_BUILD_DIR := $LAB_ROOT
		TARGET_CC := mips-openwrt-linux-musl-gcc
		TARGET_CROSS := mips-openwrt-linux-musl-
		INSTALL_DIR := install -d
		INSTALL_BIN := install -m 755
		INSTALL_DATA := install -m 644
	EOT
	cat >"$DIR/include/package.mk" <<-'EOT'
		all:
		define BuildPackage
		$(eval $(Package/$(1)))
		$(if $(and $(TITLE),$(SECTION),$(CATEGORY),$(DEPENDS)),,$(error $(1): something is missing))
		all: $(1)-install
		$(1)-compile:
			$(Build/Compile)
		$(1)-install: $(1)-compile
			$(call Package/$(1)/install,root/$(1))
		endef
	EOT
}

@test "OpenWrt: what its Makefile would run" {
	openwrt_stub
	run -0 make -n -C "$DIR" -f "$LAB_ROOT/share/openwrt/Makefile" TOPDIR="$DIR" MAKE=inner
	assert_output --regexp 'inner -C [^ ]* CC="mips-openwrt-linux-musl-gcc" .* all tiny'
	assert_output --regexp 'install -m 755 [^ ]*/build/netrelay root/netrelay/usr/bin/netrelay'
	assert_output --regexp 'install -m 755 [^ ]*/build/tiny/netrelay root/netrelay-tiny/usr/bin/netrelay'
	assert_output --partial ' BEARSSL="" '
	# With a feed that has it
	mkdir -p "$DIR/staging/usr/lib"
	touch "$DIR/staging/usr/lib/libbearssl.a"
	run -0 make -n -C "$DIR" -f "$LAB_ROOT/share/openwrt/Makefile" TOPDIR="$DIR" MAKE=inner
	assert_output --partial " BEARSSL=\"$DIR/staging/usr/lib/libbearssl.a\" "
	# The version is that of the source.
	run -0 sed -n 's/^PKG_VERSION:=//p' "$LAB_ROOT/share/openwrt/Makefile"
	assert_output "$(cat "$LAB_ROOT/VERSION")"
}

@test "Nix can read its expression" {
	command -v nix-instantiate >/dev/null || skip "needs nix-instantiate"
	nix-instantiate --parse "$LAB_ROOT/share/nix/default.nix" >"$DIR/parsed"
}

@test "AppArmor can read its profile" {
	command -v apparmor_parser >/dev/null || skip "needs apparmor_parser"
	apparmor_parser -Q -K -T "$LAB_ROOT/share/apparmor/netrelay"
}
