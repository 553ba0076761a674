# netrelay: `make help` lists the targets.

# What VERSION says, and +gCOMMIT[.dirty] unless exactly this commit is tagged as that version.
VERSION := $(shell cat VERSION)
# Also when root builds in a user's checkout.
GIT     := git -c safe.directory='*'
TAG     := $(shell $(GIT) describe --tags --exact-match --match v$(VERSION) --dirty 2>/dev/null)
COMMIT  := $(shell $(GIT) describe --always --exclude '*' --dirty=.dirty 2>/dev/null)
VERSION := $(VERSION)$(if $(filter v$(VERSION),$(TAG)),,$(COMMIT:%=+g%))
PREFIX  ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
BUILD   ?= build

# The static build uses musl-gcc if it is installed, otherwise gcc: on Alpine that is musl's.
ifeq ($(origin CC),default)
CC := $(if $(shell command -v musl-gcc),musl-gcc,gcc)
endif
HOST_CC ?= gcc
STRIP   ?= strip
# Optimise for size, and the HOT files, which every frame passes through, for speed.
CFLAGS  ?= -Os -g
HOT := frame/frame frame/csum frame/gso frame/gro frame/gro-packet frame/stream-layout \
	frame/frame-queue seal/crypto seal/datagram seal/gcm-four seal/gcm-wide seal/record \
	seal/window trunk/channel-sealed trunk/deframer trunk/packing trunk/unpacking \
	port/port port/stream port/dgram port/dgram-rx port/tap-io port/vhost-rx port/vhost-tx \
	vhost/ring relay/forward relay/deliver relay/fdb

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wformat=2
# 64-bit file sizes and times, also where the C library has 32 bits by default.
WIDE := -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
BASE := -std=gnu11 -D_GNU_SOURCE $(WIDE) -Isrc -I$(BUILD) $(WARNINGS) -MMD -MP $(BEARSSL_CFLAGS) \
	$(if $(WERROR),-Werror) '-ffile-prefix-map=$(CURDIR)/=' -ffunction-sections \
	-fdata-sections -fno-asynchronous-unwind-tables
# No RELRO, and no data that begins at a page: both would only pad the file.
LINK := -Wl,--gc-sections,--build-id=none,--sort-section=alignment \
	-Wl,-z,noseparate-code,-z,norelro,-z,common-page-size=64

# BearSSL, which seals trunks: BEARSSL_PREFIX, else the compiler's own static one, else
# the program is built without keys. `netrelay --version` says which.
ifdef BEARSSL_PREFIX
BEARSSL := $(BEARSSL_PREFIX)/lib/libbearssl.a
BEARSSL_CFLAGS := -I$(BEARSSL_PREFIX)/include
else
BEARSSL := $(filter /%,$(shell $(CC) -print-file-name=libbearssl.a))
endif
ifeq ($(BEARSSL),)
override WITHOUT := $(filter-out keys,$(WITHOUT)) keys
endif

# libsodium for the curve, where it has one for AVX, thrice as fast as BearSSL's: the compiler's
# own static one, of which 20 KB are linked. `make SODIUM=` takes BearSSL's curve.
SODIUM := $(if $(BEARSSL),$(shell grep -ls curve25519_sandy2x_implementation \
	"$$($(CC) -print-file-name=libsodium.a)"))
CRYPTO_STATIC := $(BEARSSL) $(SODIUM)
CRYPTO_SHARED := $(if $(BEARSSL),$(BEARSSL_PREFIX:%=-L%/lib) -lbearssl) $(SODIUM)

SRC := $(filter-out %/mnl-builtin.c %/crypto$(if $(BEARSSL),-none).c %-static.c %-tiny.c, \
	$(sort $(wildcard src/*.c src/*/*.c)))
SRC := $(SRC:src/%=%)

# libmnl for a static build: LIBMNL_PREFIX, else pkg-config's static one, else our
# built-in subset of it. `netrelay --version` says which.
ifdef LIBMNL_PREFIX
MNL_STATIC := $(LIBMNL_PREFIX)/lib/libmnl.a
MNL_CFLAGS := -I$(LIBMNL_PREFIX)/include
else ifeq ($(findstring musl-gcc,$(CC)),)
MNL_STATIC := $(wildcard $(shell pkg-config --variable=libdir libmnl 2>/dev/null)/libmnl.a)
endif
ifneq ($(findstring musl-gcc,$(CC)),)
# The kernel's headers, which are searched after musl's own.
HOST_INCLUDE := -idirafter /usr/include -idirafter \
	/usr/include/$(shell $(HOST_CC) -print-multiarch)
endif
SRC_STATIC := base/printf-static.c base/getopt-static.c $(if $(TINY),base/malloc-tiny.c) \
	$(if $(MNL_STATIC),,net/mnl-builtin.c) $(if $(BEARSSL),seal/library-static.c)
MNL_NAME := libmnl$(if $(MNL_STATIC),, stand-in)

STATIC_OBJ := $(addprefix $(BUILD)/static/,$(patsubst %.c,%.o,$(SRC) $(SRC_STATIC)))
SHARED_OBJ := $(addprefix $(BUILD)/shared/,$(SRC:.c=.o))

Q := $(if $(filter 1,$(V)),,@)

all: $(BUILD)/netrelay ## the static binary; WITHOUT="top trace": less of it (base/parts.h)
tiny: ## build/tiny/netrelay, in 100 KB: a cable or switch of sockets and taps
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tiny WITHOUT="$$(ci/parts tiny)" TINY=1 \
		CFLAGS='-Oz -flto=2' HOT=
shared: $(BUILD)/netrelay-shared ## build/netrelay-shared, with the host's libc and libmnl

$(foreach d,static shared,$(HOT:%=$(BUILD)/$(d)/%.o)): CFLAGS += -O2

# Write a text to the target, but only if it differs: several make at once must not meet there.
WRITE = [ "$(1)" = "$$(cat $@ 2>/dev/null)" ] || printf '%s\n' "$(1)" > $@

# Headers that are made
MADE := $(BUILD)/sandbox/syscalls.h $(BUILD)/show/page-data.h $(BUILD)/base/without.h
$(BUILD)/sandbox/syscalls.h: src/sandbox/syscalls.awk $(sort $(wildcard src/*.c src/*/*.c))
	@mkdir -p $(@D) && LC_ALL=C awk -f $^ > $@

$(BUILD)/show/page-data.h: src/show/page-data.sh $(addprefix src/show/page.,html css js)
	@mkdir -p $(@D) && sh $^ > $@

# What WITHOUT="top metrics" leaves out (base/parts.h), and HAS_SANDY2X; written if it changes.
$(BUILD)/base/without.h: FORCE
	@mkdir -p $(@D); new=$$(ci/parts header '$(WITHOUT)' $(SODIUM:%=HAS_SANDY2X)) || exit; \
		$(call WRITE,$$new)

$(BUILD)/netrelay: $(STATIC_OBJ)
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS) -static -no-pie $(LINK) $(LDFLAGS) -o $@.debug $^ $(MNL_STATIC) \
		$(CRYPTO_STATIC)
	$(Q)$(STRIP) -R .comment -o $@ $@.debug

$(BUILD)/netrelay-shared: $(SHARED_OBJ)
	@echo "  LINK    $@"
	$(Q)$(HOST_CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lmnl $(CRYPTO_SHARED)

# First of all, whether there are a compiler and headers.
COMPILES = @mkdir -p $(@D) && ci/compiles $(notdir $(@D)) $(1) $(CPPFLAGS) $(CFLAGS) && touch $@
$(BUILD)/static/compiles: ; $(call COMPILES,$(CC) $(HOST_INCLUDE) $(MNL_CFLAGS))
$(BUILD)/shared/compiles: ; $(call COMPILES,$(HOST_CC))

$(BUILD)/static/%.o: src/%.c | $(MADE) $(BUILD)/static/compiles
	@mkdir -p $(@D); echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(BASE) $(CFLAGS) -fno-pie $(HOST_INCLUDE) $(MNL_CFLAGS) -c -o $@ $<

$(BUILD)/shared/%.o: src/%.c | $(MADE) $(BUILD)/shared/compiles
	@mkdir -p $(@D); echo "  CC      $< (shared)"
	$(Q)$(HOST_CC) $(CPPFLAGS) $(BASE) $(CFLAGS) -c -o $@ $<

# $(call names,LIBC,LIBMNL): for the one file that shows the version
names = -DVERSION='"$(VERSION)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' -DLIBC='"$(1)"' -DLIBMNL='"$(2)"' \
	-DCRYPTO='"BearSSL$(SODIUM:%=, libsodium)"'
$(BUILD)/static/base/version.o: CPPFLAGS += $(call names,static,$(MNL_NAME))
$(BUILD)/shared/base/version.o: CPPFLAGS += $(call names,shared,libmnl)
$(BUILD)/static/base/version.o $(BUILD)/shared/base/version.o: $(BUILD)/version

# Written only when one of them changes, so that a new commit compiles only version.c.
$(BUILD)/version: FORCE | $(BUILD)
	@new=$$(printf '%s\n' '$(VERSION)' '$(SYSCONFDIR)'); $(call WRITE,$$new)

$(BUILD): ; @mkdir -p $@
-include $(STATIC_OBJ:.o=.d) $(SHARED_OBJ:.o=.d)

include test/rules.mk

test: ## all tests, QUICK=1: no slow ones; installs what they need (Debian)
	@ci/test $(TESTS)

check: ## static build and unit tests by gcc; T=relay/fdb: only that test
	@ci/test check
unit: ## unit tests by gcc and clang, and fuzzing
itest: ## end-to-end tests, as root; T=50-bridge: one file, F=MTU: by names
test-real: ## tests with other programs, which it installs or unpacks
unit itest test-real:
	@ci/test build $(@:test-%=%)

fuzz: ## feed random input to parsers; T=frame/gro: to that one, SECONDS=20: for so long each
chaos: all sanitized ## SEED=n N=1000: a storm of so many accidents, N=0: for ever, or 10 min
coverage: ## show which lines and branches of src/ the unit tests run
lint: ## check the sources without running them
dist: ## build/dist: binaries for seven machines, source, SBOM, checksums
deb: ## build/deb/: a Debian package of the static binary
cross: ## build and test for arm64, armhf, i386, s390x, under qemu-user; installs it
fuzz chaos coverage lint dist deb cross:
	@ci/$@

format: ## format the sources with clang-format
	clang-format -i src/*.[ch] src/*/*.[ch] test/*/*.[ch] itest/*.[ch]

demo: ## boot two virtual machines joined by netrelay, and ping
bench: ## measure netrelay beside other relays; as root, about 15 minutes
demo bench:
	@ci/deps build $@
	@$(MAKE) --no-print-directory all
	@$(if $(filter demo,$@),ci/demo,bench/run)

install: all ## into PREFIX (/usr/local), with units for systemd, and an access list in /etc
install-setcap: install ## the same, and users may join bridges that the list allows
uninstall: ## remove that; an access list that was changed stays
install install-setcap uninstall:
	@BUILD=$(BUILD) DESTDIR='$(DESTDIR)' PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) \
		UNITDIR=$(UNITDIR) ci/install $@

version: ; @echo $(VERSION)

clean: ## remove build/
	rm -rf $(BUILD)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: all tiny shared sanitized tests-gcc tests-plain tests-clang tests-fuzz \
	tests-fuzz-brief tests-coverage frames offload without fuzz chaos test test-real check \
	unit itest coverage lint dist deb cross format demo bench install install-setcap \
	uninstall version clean help FORCE
.DELETE_ON_ERROR:
