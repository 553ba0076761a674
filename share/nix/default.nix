# SPDX-License-Identifier: MIT
#
# netrelay for Nix, static, with musl, libmnl and BearSSL of nixpkgs:
#
#   nix-build share/nix
#
# Checked: its syntax (nix-instantiate --parse, itest/real/92-packages.bats). It was not built: that
# takes nixpkgs.
{ pkgs ? import <nixpkgs> { } }:

let
  static = pkgs.pkgsStatic;
in
static.stdenv.mkDerivation {
  pname = "netrelay";
  version = pkgs.lib.fileContents ../../VERSION;
  src = pkgs.lib.cleanSource ../..;

  nativeBuildInputs = [ pkgs.buildPackages.pkg-config ];
  buildInputs = [ static.libmnl static.bearssl ];

  postPatch = "patchShebangs ci";
  makeFlags = [
    "CC=${static.stdenv.cc.targetPrefix}cc"
    "STRIP=${static.stdenv.cc.targetPrefix}strip"
    "LIBMNL_PREFIX=${static.lib.getDev static.libmnl}"
    "MNL_STATIC=${static.lib.getLib static.libmnl}/lib/libmnl.a"
    "BEARSSL=${static.lib.getLib static.bearssl}/lib/libbearssl.a"
    "BEARSSL_CFLAGS=-I${static.lib.getDev static.bearssl}/include"
    "PREFIX=${placeholder "out"}"
    "SYSCONFDIR=/etc"
  ];
  enableParallelBuilding = true;

  # An access list that is not there allows nobody.
  postInstall = "rm -rf $out/etc";
  installFlags = [ "SYSCONFDIR=${placeholder "out"}/etc" ];

  meta = {
    description = "Relay of Ethernet frames between QEMU machines and bridges";
    license = pkgs.lib.licenses.mit;
    platforms = pkgs.lib.platforms.linux;
    mainProgram = "netrelay";
  };
}
