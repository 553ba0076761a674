/* SPDX-License-Identifier: MIT */
/*
 * endpoint*.c: every form an endpoint may have, every message when it is wrong,
 * every length at its limit, and then a great many texts that are nearly right.
 * What was read is compared as text, with all that is set, so that a member set
 * by mistake is seen too.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "conf/endpoint-long.h"
#include "conf/endpoint.h"
#include "lib/random.h"
#include "lib/tap.h"

#define WHY_MAX 1024
#define MUTATIONS 100000
#define SEED 0x6e657472u

typedef int (*parse_fn)(struct endpoint *ep, const char *text, char *why, size_t size);

struct good {
	const char *text;
	const char *want;
};

struct bad {
	const char *text;
	const char *why; /* behind "TEXT: " */
};

#define PUBKEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define NAME31 "a123456789-123456789_123456789."

/* @text: what is kept of @typed, all but the name */
static const struct {
	const char *typed, *text, *name;
} names[] = {
	{ "tcp:h:1,name=web1", "tcp:h:1", "web1" },
	{ "tcp-listen:1,isolated,name=A.b_c-9,max=1", "tcp-listen:1,isolated,max=1",
	  "A.b_c-9" },
	{ "unix:/a,,name=b,name=c,isolated", "unix:/a,,name=b,isolated", "c" },
	{ "unix:/a,,,name=name", "unix:/a,,", "name" },
	{ "unix-listen:/a,mode=0660,name=1x", "unix-listen:/a,mode=0660", "1x" },
	{ "udp:h:1,name=" NAME31, "udp:h:1", NAME31 },
	{ "unixgram:a,name=b,local=c", "unixgram:a,local=c", "b" },
	{ "mcast:239.0.0.1:1,name=m", "mcast:239.0.0.1:1", "m" },
	{ "bridge:br0,name=br0", "bridge:br0", "br0" },
	{ "tap:t,name=t", "tap:t", "t" },
	{ "fd:3,name=three", "fd:3", "three" },
	{ "trunk:h:1,name=up", "trunk:h:1", "up" },
};

static const struct good short_forms[] = {
	{ "-", "stdio" },
	{ "5000:10.0.0.1:5001", "udp remote=10.0.0.1/4:5001 local=:5000" },
	{ "5000:10.0.0.1:5000", "udp remote=10.0.0.1/4:5000 local=:5000" },
	{ "5000:10.0.0.1:", "udp remote=10.0.0.1/4:5000 local=:5000" },
	{ ":10.0.0.1:5001", "udp remote=10.0.0.1/4:5001 local=:5001" },
	{ "5000:[fe80::1%eth0]:5001", "udp remote=fe80::1%eth0/6:5001 local=:5000" },
	{ "5000:[::1]:", "udp remote=::1/6:5000 local=:5000" },
	{ ":[::1]:5001", "udp remote=::1/6:5001 local=:5001" },
	{ "5000::5001", "udp remote=127.0.0.1/4:5001 local=:5000" },
	{ "1::65535", "udp remote=127.0.0.1/4:65535 local=:1" },
	{ "10.0.0.1:5000", "tcp remote=10.0.0.1/4:5000" },
	{ "255.255.255.255:65535", "tcp remote=255.255.255.255/4:65535" },
	{ "[::1]:5000", "tcp remote=::1/6:5000" },
	{ "[::ffff:10.0.0.1]:5000", "tcp remote=::ffff:10.0.0.1/6:5000" },
	{ "[fe80::1%eth0]:1", "tcp remote=fe80::1%eth0/6:1" },
	{ "br0", "bridge name=br0" },
	{ "br-0123456789ab", "bridge name=br-0123456789ab" },
	{ "5000", "bridge name=5000" },
	{ "10.0.0.1", "bridge name=10.0.0.1" },
	{ "...", "bridge name=..." },
	{ "--", "bridge name=--" },
	{ "tcp", "bridge name=tcp" },
	{ "bridge", "bridge name=bridge" },
	{ "exec", "bridge name=exec" },
	{ "br\xc3\xb6", "bridge name=br\xc3\xb6" },
};

static const struct good long_forms[] = {
	{ "tcp:10.0.0.1:5000", "tcp remote=10.0.0.1/4:5000" },
	{ "tcp:[fe80::1%eth0]:5000", "tcp remote=fe80::1%eth0/6:5000" },
	{ "tcp:db_1.example-net.org.:1", "tcp remote=db_1.example-net.org./0:1" },
	{ "trunk:host:5000", "trunk remote=host/0:5000" },
	{ "trunk:[::1]:5000", "trunk remote=::1/6:5000" },
	{ "trunk:h:1,peer=" PUBKEY ",psk=/a b=c",
	  "trunk remote=h/0:1 peer=" PUBKEY " psk=/a b=c" },
	{ "trunk:h:1,udp,keepalive=25,peer=" PUBKEY,
	  "trunk remote=h/0:1 peer=" PUBKEY " udp keepalive=25" },
	{ "tcp-listen:1,udp", "tcp-listen local=:1 udp" },
	{ "tcp-listen:1,peers=a/b,plain", "tcp-listen local=:1 peers=a/b plain" },
	{ "unix-listen:a,peers=b,,c", "unix-listen path=a peers=b,c" },
	{ "tcp:localhost:65535", "tcp remote=localhost/0:65535" },
	{ "tcp:10.example:5", "tcp remote=10.example/0:5" },
	{ "tcp-listen:5000", "tcp-listen local=:5000" },
	{ "tcp-listen:0.0.0.0:5000", "tcp-listen local=0.0.0.0/4:5000" },
	{ "tcp-listen:[::]:5000", "tcp-listen local=::/6:5000" },
	{ "unix:/run/a.sock", "unix path=/run/a.sock" },
	{ "unix:a:b=c d", "unix path=a:b=c d" },
	{ "unix:a,,b", "unix path=a,b" },
	{ "unix:,,", "unix path=," },
	{ "unix:,,,,a", "unix path=,,a" },
	{ "unix-listen:/run/a", "unix-listen path=/run/a" },
	{ "unix-listen:/run/a,mode=0660", "unix-listen path=/run/a mode=0660" },
	{ "unix-listen:a,group=g", "unix-listen path=a mode=0660 group=g" },
	{ "unix-listen:a,group=g,mode=0620", "unix-listen path=a mode=0620 group=g" },
	{ "unix-listen:a,mode=0600,group=g", "unix-listen path=a group=g" },
	{ "unix-listen:a,,b,allow=uid:x+gid:y+uid:0,max=5,accept-rate=1",
	  "unix-listen path=a,b uid:x gid:y uid:0 max=5 accept_rate=1" },
	{ "unixgram:a,local=b,group=4711",
	  "unixgram path=a local_path=b mode=0660 group=4711" },
	{ "tcp-listen:1,allow=10.0.0.0/8",
	  "tcp-listen local=:1 net:00000000000000000000ffff0a000000/104" },
	{ "tcp-listen:1,allow=192.0.2.1+[::1],dead=0",
	  "tcp-listen local=:1 dead=0 net:00000000000000000000ffffc0000201/128 "
	  "net:00000000000000000000000000000001/128" },
	{ "tcp-listen:1,allow=::/0+0.0.0.0/0",
	  "tcp-listen local=:1 net:00000000000000000000000000000000/0 "
	  "net:00000000000000000000ffff00000000/96" },
	{ "tcp-listen:1,max=1,per-address=1000000,accept-rate=7,isolated",
	  "tcp-listen local=:1 max=1 per_address=1000000 accept_rate=7 isolated" },
	{ "udp:h:1,allow=2001:db8::/33",
	  "udp remote=h/0:1 local=:1 net:20010db8000000000000000000000000/33" },
	{ "mcast:239.0.0.1:1,allow=10.0.0.1",
	  "mcast remote=239.0.0.1/4:1 net:00000000000000000000ffff0a000001/128" },
	{ "unix-listen:/run/a,mode=777", "unix-listen path=/run/a mode=0777" },
	{ "unix-listen:/run/a,mode=0", "unix-listen path=/run/a mode=00" },
	{ "unix-listen:a,,,mode=0640", "unix-listen path=a, mode=0640" },
	{ "unix-listen:a,,mode=0640", "unix-listen path=a,mode=0640" },
	{ "vhost-user:a,,b", "vhost-user path=a,b" },
	{ "vhost-user-listen:a", "vhost-user-listen path=a" },
	{ "vhost-user-listen:a,mode=0640,group=4711,max=2,allow=uid:0,isolated",
	  "vhost-user-listen path=a mode=0640 uid:0 group=4711 max=2 isolated" },
	{ "udp:10.0.0.1:5000", "udp remote=10.0.0.1/4:5000 local=:5000" },
	{ "udp:name:5000,local=5001", "udp remote=name/0:5000 local=:5001" },
	{ "udp:10.0.0.1:5000,local=10.0.0.2:5000",
	  "udp remote=10.0.0.1/4:5000 local=10.0.0.2/4:5000" },
	{ "udp:[::1]:5000,local=[::1%lo]:5001",
	  "udp remote=::1/6:5000 local=::1%lo/6:5001" },
	{ "udp:name:5000,local=[::]:5001", "udp remote=name/0:5000 local=::/6:5001" },
	{ "unixgram:a,local=b", "unixgram path=a local_path=b" },
	{ "unixgram:a,,b,local=b,,c", "unixgram path=a,b local_path=b,c" },
	{ "unixgram:a,local=b=c", "unixgram path=a local_path=b=c" },
	{ "mcast:230.0.0.1:1234", "mcast remote=230.0.0.1/4:1234" },
	{ "mcast:224.0.0.0:1", "mcast remote=224.0.0.0/4:1" },
	{ "mcast:239.255.255.255:1", "mcast remote=239.255.255.255/4:1" },
	{ "mcast:230.0.0.1:1234,if=10.0.0.1",
	  "mcast remote=230.0.0.1/4:1234 local=10.0.0.1/4:0" },
	{ "mcast:[ff02::1]:1234,if=eth0", "mcast remote=ff02::1/6:1234 local=eth0/0:0" },
	{ "bridge:br0", "bridge name=br0" },
	{ "bridge:br0,tap=t0", "bridge name=br0 tap=t0" },
	{ "bridge:br0,mtu=68", "bridge name=br0 mtu=68" },
	{ "bridge:br0,mtu=65521,tap=t0", "bridge name=br0 tap=t0 mtu=65521" },
	{ "tap:tap0", "tap name=tap0" },
	{ "tap:-", "tap name=-" },
	{ "fd:0", "fd fd=0" },
	{ "fd:3", "fd fd=3" },
	{ "fd:3,vhost-user,isolated", "fd fd=3 vhost isolated" },
	{ "fd:2147483647", "fd fd=2147483647" },
	{ "exec:ssh host netrelay - br0",
	  "exec command=ssh host netrelay - br0 unpadded" },
	{ "exec: a,,b,c=d:e", "exec command= a,,b,c=d:e unpadded" },
	{ "exec:-", "exec command=- unpadded" },
	{ "exec:a,isolated", "exec command=a,isolated unpadded" },
};

#define MAC(n) "mac=52:54:00:00:00:0" n
#define MACS7    \
	MAC("1") \
	"," MAC("2") "," MAC("3") "," MAC("4") "," MAC("5") "," MAC("6") "," MAC("7")
#define MACS8 MACS7 "," MAC("8")

static const struct good rules[] = {
	{ "tcp:h:1,dead=5", "tcp remote=h/0:1 dead=5" },
	{ "trunk:h:1,dead=3600,isolated", "trunk remote=h/0:1 dead=3600 isolated" },
	{ "tcp-listen:1,dead=0", "tcp-listen local=:1 dead=0" },
	{ "tcp:h:1,isolated", "tcp remote=h/0:1 isolated" },
	{ "tcp:h:1," MAC("1"), "tcp remote=h/0:1 " MAC("1") },
	{ "trunk:h:1,isolated,mac=aA:bB:cC:dD:eE:fF",
	  "trunk remote=h/0:1 isolated mac=aa:bb:cc:dd:ee:ff" },
	{ "tcp:h:1,mac=fe:ff:ff:ff:ff:ff,isolated",
	  "tcp remote=h/0:1 isolated mac=fe:ff:ff:ff:ff:ff" },
	{ "tcp:h:1,mac=00:00:00:00:00:01", "tcp remote=h/0:1 mac=00:00:00:00:00:01" },
	{ "tcp-listen:5000,isolated", "tcp-listen local=:5000 isolated" },
	{ "unix:/a,,b,isolated", "unix path=/a,b isolated" },
	{ "unix:/a,,,isolated", "unix path=/a, isolated" },
	{ "unix:a,," MAC("1"), "unix path=a," MAC("1") },
	{ "unix-listen:a,isolated,mode=0640," MAC("1"),
	  "unix-listen path=a mode=0640 isolated " MAC("1") },
	{ "udp:h:1,local=2," MAC("1"), "udp remote=h/0:1 local=:2 " MAC("1") },
	{ "udp:h:1," MAC("1") ",local=2," MAC("2"),
	  "udp remote=h/0:1 local=:2 " MAC("1") " " MAC("2") },
	{ "udp:h:1,isolated", "udp remote=h/0:1 local=:1 isolated" },
	{ "unixgram:a,isolated,local=b", "unixgram path=a local_path=b isolated" },
	{ "mcast:230.0.0.1:1,if=10.0.0.1,isolated",
	  "mcast remote=230.0.0.1/4:1 local=10.0.0.1/4:0 isolated" },
	{ "bridge:b,isolated,tap=t," MAC("1") ",mtu=99",
	  "bridge name=b tap=t mtu=99 isolated " MAC("1") },
	{ "tap:t," MACS8,
	  "tap name=t " MAC("1") " " MAC("2") " " MAC("3") " " MAC("4") " " MAC(
		  "5") " " MAC("6") " " MAC("7") " " MAC("8") },
	{ "fd:3,isolated", "fd fd=3 isolated" },
	{ "fd:3,pad=0", "fd fd=3 unpadded" },
	{ "tcp:h:1,pad=60", "tcp remote=h/0:1" },
	{ "tcp-listen:5000,pad=0,isolated", "tcp-listen local=:5000 isolated unpadded" },
	{ "udp:h:1,pad=0,local=2", "udp remote=h/0:1 local=:2 unpadded" },
	{ "unix:/a,pad=0", "unix path=/a unpadded" },
};

static const struct good listen_forms[] = {
	{ "5000", "tcp-listen local=:5000" },
	{ "1", "tcp-listen local=:1" },
	{ "65535", "tcp-listen local=:65535" },
	{ "10.0.0.1:5000", "tcp-listen local=10.0.0.1/4:5000" },
	{ "[::1]:5000", "tcp-listen local=::1/6:5000" },
	{ "[fe80::1%eth0]:5000", "tcp-listen local=fe80::1%eth0/6:5000" },
	{ "tcp-listen:5000", "tcp-listen local=:5000" },
	{ "tcp-listen:[::1]:5000", "tcp-listen local=::1/6:5000" },
	{ "unix-listen:/run/a,mode=0666", "unix-listen path=/run/a mode=0666" },
	{ "tcp-listen:5000,isolated," MAC("1"),
	  "tcp-listen local=:5000 isolated " MAC("1") },
	{ "unix-listen:a,,isolated", "unix-listen path=a,isolated" },
};

#define KINDS                                                                                      \
	"tcp, tcp-listen, unix, unix-listen, udp, unixgram, mcast, bridge, tap, fd, trunk, exec, " \
	"vhost-user, vhost-user-listen"
#define NO_PORT(s) "port \"" s "\" must be a number from 1 to 65535"
#define MISSING_PORT "the port is missing; it is a number from 1 to 65535"
#define NO_ADDR(s) "\"" s "\" is no IPv4 address or [IPv6 address]"
#define COLONS(form) \
	"too many colons for " form "; an IPv6 address goes in brackets, as in [::1]:5000"
#define SHORT_COLONS COLONS("ADDR:PORT or LPORT:ADDR:RPORT")
#define NAME(whose, s, fault) "the " whose "'s name \"" s "\" " fault
#define LONG_NAME "is longer than the 15 bytes the kernel allows"
#define DOUBLED "; a comma within a path is doubled"
#define NO_HOST(s) "host \"" s "\" is no name, IPv4 address or [IPv6 address]"
#define NO_GROUP(s)                                                               \
	"group \"" s "\" is no multicast address: 224.0.0.0 to 239.255.255.255, " \
	"or [ff00::] and up"
#define NO_OPTION(kind, s)         \
	kind " has no option \"" s \
	     "\"; it has name=WORD, isolated, mac=ADDR and pad=0, and the form is "
#define NO_TAP_OPTION(kind, s)     \
	kind " has no option \"" s \
	     "\"; it has name=WORD, isolated and mac=ADDR, and the form is "
#define NO_TCP_OPTION(kind, s)                                         \
	kind " has no option \"" s                                     \
	     "\"; it has dead=SECONDS, name=WORD, isolated, mac=ADDR " \
	     "and pad=0, and the form is "
#define NO_LISTEN_OPTION(kind, s, own)                                                  \
	kind " has no option \"" s "\"; it has " own ", name=WORD, isolated, mac=ADDR " \
	     "and pad=0, and the form is "
#define TCP_LISTEN_OPTIONS                                                \
	"dead=SECONDS, allow=CIDR, max=N, accept-rate=N, per-address=N, " \
	"udp, keepalive=SECONDS, peers=FILE, plain"
#define UNIX_LISTEN_OPTIONS                                              \
	"group=NAME, allow=uid:NAME or gid:NAME, max=N, accept-rate=N, " \
	"peers=FILE, plain"
#define NO_KEY(s)                                                  \
	"option peer: \"" s "\" is no public key: 44 characters, " \
	"as netrelay pubkey prints it"
#define NO_PORT_NAME(s)                                                           \
	"option name: \"" s "\" must be 1 to 31 letters, digits, ., _ or -, and " \
	"not digits alone"
#define NO_NET(s) "\"" s "\" is no network, as 192.0.2.0/24 or 2001:db8::/32"
#define NO_LIMIT(key, s) "option " key ": \"" s "\" must be a number from 1 to 1000000"
#define NETS4 "::1+::1+::1+::1"
#define NETS16 NETS4 "+" NETS4 "+" NETS4 "+" NETS4
#define LONG_USER "a23456789012345678901234567890123"
#define NO_DEAD(s)          \
	"option dead: \"" s \
	"\" must be a number of seconds from 5 to 3600, or 0 for never"
#define NEED_LONG(s) "options need the long form, as in " s
#define NO_MAC(s)          \
	"option mac: \"" s \
	"\" must be the MAC address of one machine, as in 52:54:00:00:00:01"
#define EQUAL(port)                                                                   \
	"both ports are " port ", but the two ports must differ when the address is " \
	"left out: it is 127.0.0.1 then"

#define PATH(path) "this is a path; did you mean unix:" path "?"

static const struct bad bad_short[] = {
	{ "", "an endpoint must not be empty; - is stdin and stdout" },
	{ ":", "the address is missing; the form is ADDR:PORT" },
	{ ":5000", "the address is missing; the form is ADDR:PORT" },
	{ "::", "both ports are missing; give LPORT, RPORT or both" },
	{ ":10.0.0.1:", "both ports are missing; give LPORT, RPORT or both" },
	{ "5000::5000", EQUAL("5000") },
	{ "5000::05000", EQUAL("5000") },
	{ "5000::", EQUAL("5000") },
	{ "::5000", EQUAL("5000") },
	{ "0:10.0.0.1:1", NO_PORT("0") },
	{ "1:10.0.0.1:0", NO_PORT("0") },
	{ "65536:10.0.0.1:1", NO_PORT("65536") },
	{ "1:10.0.0.1:65536", NO_PORT("65536") },
	{ "1:10.0.0.1:+5", NO_PORT("+5") },
	{ "1:10.0.0.1: 5", NO_PORT(" 5") },
	{ "1:10.0.0.1:5 ", NO_PORT("5 ") },
	{ "1:10.0.0.1:-5", NO_PORT("-5") },
	{ "1:10.0.0.1:0x5", NO_PORT("0x5") },
	{ "1:10.0.0.1:18446744073709551617", NO_PORT("18446744073709551617") },
	{ "1:10.0.0.1:4294967297", NO_PORT("4294967297") },
	{ "5000:foo:5001", NO_ADDR("foo") "; udp:foo:5001,local=5000 takes a name" },
	{ "5000:10.0.0.256:5001", NO_ADDR("10.0.0.256") },
	{ "tpc:host:5000",
	  "\"tpc\" is no local port from 1 to 65535, nor a kind of endpoint: " KINDS
	  "; did you mean tcp?" },
	{ "fe80::1", "an IPv6 address goes in brackets, as in [::1]:5000" },
	{ "::1:5000", SHORT_COLONS },
	{ "fe80::1:2:5000", SHORT_COLONS },
	{ "5000:::1:5000", SHORT_COLONS },
	{ "[::1:5000", SHORT_COLONS },
	{ "10.0.0.1:", MISSING_PORT },
	{ "[::1]:", MISSING_PORT },
	{ "[::1]", "the port is missing; the form is [ADDR6]:PORT" },
	{ "[::1]5000", "the port is missing; the form is [ADDR6]:PORT" },
	{ "[::1]5000:1", NO_ADDR("[::1]5000") },
	{ "[]:5000", NO_ADDR("[]") },
	{ "[:5000", NO_ADDR("[") },
	{ "[10.0.0.1]:5000", NO_ADDR("[10.0.0.1]") },
	{ "[fe80::1%]:5000", NO_ADDR("[fe80::1%]") },
	{ "[fe80::1%a/b]:5000", NO_ADDR("[fe80::1%a/b]") },
	{ "[fe80::1%0123456789abcdef]:5000", NO_ADDR("[fe80::1%0123456789abcdef]") },
	{ "[fe80::1%a,b]:5000", NO_ADDR("[fe80::1%a,b]") },
	{ "[fe80::g]:5000", NO_ADDR("[fe80::g]") },
	{ "10.0.0.1:0", NO_PORT("0") },
	{ "10.0.0.1:65536", NO_PORT("65536") },
	{ "10.0.0.1:http", NO_PORT("http") },
	{ "10.0.0.1:5000,x=1", NEED_LONG("tcp:10.0.0.1:5000,x=1") },
	{ "[::1]:5000,", NEED_LONG("tcp:[::1]:5000,") },
	{ "10.0.0.1:5,6000,isolated", NEED_LONG("tcp:10.0.0.1:5,6000,isolated") },
	{ "10.0.0.1:0,isolated", NO_PORT("0") },
	{ "10.0.0.1:,isolated", MISSING_PORT },
	{ "foo:5000,isolated", NO_ADDR("foo") "; tcp:foo:5000 takes a name" },
	{ "5000:10.0.0.1:5001,isolated",
	  NEED_LONG("udp:HOST:RPORT,local=LPORT,isolated") },
	{ "5000:[::1]:,a=b,c", NEED_LONG("udp:HOST:RPORT,local=LPORT,a=b,c") },
	{ "5000::5000,isolated", EQUAL("5000") },
	{ "-,isolated", "stdin and stdout have no options; say - alone" },
	{ "-,", "stdin and stdout have no options; say - alone" },
	{ ",isolated", NAME("bridge", "", "is empty") },
	{ "foo:5000", NO_ADDR("foo") "; tcp:foo:5000 takes a name" },
	{ "foo:0", NO_PORT("0") },
	{ "f\\o:5000", NO_ADDR("f\\o") },
	{ "10.0.0.256:5000", NO_ADDR("10.0.0.256") },
	{ "10.1:5000", NO_ADDR("10.1") },
	{ "010.0.0.1:5000", NO_ADDR("010.0.0.1") },
	{ " 10.0.0.1:5000", NO_ADDR(" 10.0.0.1") },
	{ "unxi:/run/a",
	  NO_ADDR("unxi") ", nor a kind of endpoint: " KINDS "; did you mean unix?" },
	{ "unxi:/run/a,mode=1",
	  NO_ADDR("unxi") ", nor a kind of endpoint: " KINDS "; did you mean unix?" },
	{ "TAP:tap0",
	  NO_ADDR("TAP") ", nor a kind of endpoint: " KINDS "; did you mean tap?" },
	{ "/run/a", PATH("/run/a") },
	{ "./a,mode=1", PATH("./a,mode=1") },
	{ "../a:5", PATH("../a:5") },
	{ "/", PATH("/") },
	{ ".", NAME("bridge", ".", "is one that the kernel refuses") },
	{ "..", NAME("bridge", "..", "is one that the kernel refuses") },
	{ "br-0123456789abc", NAME("bridge", "br-0123456789abc", LONG_NAME) },
	{ "br/0", NAME("bridge", "br/0", "must not contain '/', ':' or ','") },
	{ "br%d", NAME("bridge", "br%d",
		       "must not contain '%': the kernel would read a pattern") },
	{ "br 0",
	  NAME("bridge", "br 0", "must not contain blanks or control characters") },
	{ "br0,mtu=9000", NEED_LONG("bridge:br0,mtu=9000") },
};

static const struct bad bad_host[] = {
	{ "tcp:", "nothing follows tcp:; the form is tcp:HOST:PORT" },
	{ "tcp:,", "nothing follows tcp:; the form is tcp:HOST:PORT" },
	{ "tcp:5000", "the port is missing; the form is tcp:HOST:PORT" },
	{ "tcp::5000", "the host is missing; the form is tcp:HOST:PORT" },
	{ "tcp://host:5000", "host \"//host\" is no name, IPv4 address or [IPv6 "
			     "address]; leave out the //" },
	{ "tcp:host:", MISSING_PORT },
	{ "tcp:host:0", NO_PORT("0") },
	{ "tcp:host:65536", NO_PORT("65536") },
	{ "tcp:host:1:2", COLONS("tcp:HOST:PORT") },
	{ "tcp:::1:5000", COLONS("tcp:HOST:PORT") },
	{ "tcp:10.0.0.256:5000", NO_HOST("10.0.0.256") },
	{ "tcp:[::1:5000", COLONS("tcp:HOST:PORT") },
	{ "tcp:[host]:5000", NO_HOST("[host]") },
	{ "tcp:h st:5000", NO_HOST("h st") },
	{ "tcp:-:1,x=1", NO_TCP_OPTION("tcp", "x") "tcp:HOST:PORT" },
	{ "tcp:h:1,", "nothing follows a comma; the form is tcp:HOST:PORT" },
	{ "tcp:h:1,,", "nothing follows a comma; the form is tcp:HOST:PORT" },
	{ "tcp-listen:",
	  "nothing follows tcp-listen:; the form is tcp-listen:[ADDR:]PORT" },
	{ "tcp-listen::5000",
	  "the address is missing; for any address, give the port alone" },
	{ "tcp-listen:10.0.0.1:", MISSING_PORT },
	{ "tcp-listen:10.0.0.1", NO_PORT("10.0.0.1") },
	{ "tcp-listen:host:5000", NO_ADDR("host") },
	{ "tcp-listen:::1:5000", COLONS("tcp-listen:[ADDR:]PORT") },
	{ "tcp-listen:5000,mode=0660",
	  NO_LISTEN_OPTION("tcp-listen", "mode",
			   TCP_LISTEN_OPTIONS) "tcp-listen:[ADDR:]PORT" },
	{ "udp:", "nothing follows udp:; the form is udp:HOST:PORT[,local=[ADDR:]PORT]" },
	{ "udp:5000",
	  "the port is missing; the form is udp:HOST:PORT[,local=[ADDR:]PORT]" },
	{ "udp:h:1,local", "option local has no value; "
			   "the form is udp:HOST:PORT[,local=[ADDR:]PORT]" },
	{ "udp:h:1,local=", "option local has no value; "
			    "the form is udp:HOST:PORT[,local=[ADDR:]PORT]" },
	{ "udp:h:1,local=0", "option local: " NO_PORT("0") },
	{ "udp:h:1,local=h:1", "option local: " NO_ADDR("h") },
	{ "udp:h:1,local=::1:1",
	  "option local: " COLONS("udp:HOST:PORT[,local=[ADDR:]PORT]") },
	{ "udp:h:1,local=:1", "option local: the address is missing; "
			      "for any address, give the port alone" },
	{ "udp:h:1,local=1,local=1", "option local is given twice; give it once" },
	{ "udp:h:1,lokal=1",
	  NO_LISTEN_OPTION(
		  "udp", "lokal",
		  "allow=CIDR") "udp:HOST:PORT[,local=[ADDR:]PORT]; did you mean local?" },
	{ "udp:[::1]:1,local=10.0.0.1:1",
	  "local address and host must both be IPv4 or both IPv6" },
	{ "mcast:", "nothing follows mcast:; the form is mcast:GROUP:PORT[,if=ADDR]" },
	{ "mcast:230.0.0.1",
	  "the port is missing; the form is mcast:GROUP:PORT[,if=ADDR]" },
	{ "mcast:223.255.255.255:1", NO_GROUP("223.255.255.255") },
	{ "mcast:240.0.0.0:1", NO_GROUP("240.0.0.0") },
	{ "mcast:[fe80::1]:1", NO_GROUP("fe80::1") },
	{ "mcast:name:1", NO_GROUP("name") },
	{ "mcast:230.0.0.1:1,if=eth0",
	  "option if: \"eth0\" must be an IPv4 address, as the group is one" },
	{ "mcast:230.0.0.1:1,if=[::1]",
	  "option if: \"[::1]\" must be an IPv4 address, as the group is one" },
	{ "mcast:[ff02::1]:1,if=a/b",
	  "option if: " NAME("interface", "a/b", "must not contain '/', ':' or ','") },
	{ "mcast:[ff02::1%eth0]:1", "name a group's interface by if=NAME, not by %" },
};

static const struct bad bad_rest[] = {
	{ "unix:", "nothing follows unix:; the form is unix:PATH" DOUBLED },
	{ "unix:a,b", NO_OPTION("unix", "b") "unix:PATH" DOUBLED },
	{ "unix:a,", "nothing follows a comma; the form is unix:PATH" DOUBLED },
	{ "unix-listen:,mode=0600", "nothing follows unix-listen:; "
				    "the form is unix-listen:PATH[,mode=0660]" DOUBLED },
	{ "unix-listen:a,mode=8",
	  "option mode: \"8\" must be an octal number from 0 to 0777" },
	{ "unix-listen:a,mode=1000",
	  "option mode: \"1000\" must be an octal number from 0 to 0777" },
	{ "unix-listen:a,mode=-1",
	  "option mode: \"-1\" must be an octal number from 0 to 0777" },
	{ "unix-listen:a,mode=0600,mode=0600",
	  "option mode is given twice; give it once" },
	{ "unix-listen:a,mode=0600,",
	  "nothing follows a comma; "
	  "the form is unix-listen:PATH[,mode=0660]" DOUBLED },
	{ "unix-listen:a,=0600",
	  NO_LISTEN_OPTION("unix-listen", "",
			   UNIX_LISTEN_OPTIONS) "unix-listen:PATH[,mode=0660]" DOUBLED },
	{ "vhost-user:a,mode=0600",
	  "vhost-user has no option \"mode\"; it has name=WORD, isolated, mac=ADDR and "
	  "pad=0, and the form is vhost-user:PATH" DOUBLED },
	{ "vhost-user-listen:", "nothing follows vhost-user-listen:; the form is "
				"vhost-user-listen:PATH[,mode=0660]" DOUBLED },
	{ "vhost-user-listen:a,peers=b",
	  "vhost-user-listen has no option \"peers\"; it has group=NAME, allow=uid:NAME "
	  "or gid:NAME, max=N, accept-rate=N, name=WORD, isolated, mac=ADDR and pad=0, "
	  "and the form is vhost-user-listen:PATH[,mode=0660]" DOUBLED },
	{ "unixgram:a",
	  "option local is missing; the form is unixgram:PATH,local=PATH" DOUBLED },
	{ "unixgram:,local=a",
	  "nothing follows unixgram:; the form is unixgram:PATH,local=PATH" DOUBLED },
	{ "unixgram:a,,b,local=a,,b",
	  "the two paths must differ: PATH is the peer's, local=PATH is ours" },
	{ "bridge:",
	  "nothing follows bridge:; the form is bridge:NAME[,tap=NAME][,mtu=N]" },
	{ "bridge:..", NAME("bridge", "..", "is one that the kernel refuses") },
	{ "bridge:a:b", NAME("bridge", "a:b", "must not contain '/', ':' or ','") },
	{ "bridge:b,tap=t%d", "option tap: " NAME("tap", "t%d",
						  "must not contain '%': "
						  "the kernel would read a pattern") },
	{ "bridge:b,tap=b", "the tap must not have the bridge's own name" },
	{ "bridge:b,mtu=67", "option mtu: \"67\" must be a number from 68 to 65521" },
	{ "bridge:b,mtu=65522",
	  "option mtu: \"65522\" must be a number from 68 to 65521" },
	{ "bridge:b,mtu=+1500",
	  "option mtu: \"+1500\" must be a number from 68 to 65521" },
	{ "bridge:b,mtu",
	  "option mtu has no value; the form is bridge:NAME[,tap=NAME][,mtu=N]" },
	{ "bridge:b,tap=a,mtu=99,tap=c", "option tap is given twice; give it once" },
	{ "bridge:b,vlan=1",
	  NO_TAP_OPTION("bridge", "vlan") "bridge:NAME[,tap=NAME][,mtu=N]" },
	{ "bridge:b,,tap=a",
	  "nothing follows a comma; the form is bridge:NAME[,tap=NAME][,mtu=N]" },
	{ "tap:", "nothing follows tap:; the form is tap:NAME" },
	{ "tap:0123456789abcdef", NAME("tap", "0123456789abcdef", LONG_NAME) },
	{ "tap:a,pad=0",
	  "option pad: frames to a tap are never padded; leave this option out" },
	{ "bridge:a,pad=60",
	  "option pad: frames to a tap are never padded; leave this option out" },
	{ "tcp:h:1,pad=1", "option pad: \"1\" must be 0 or 60" },
	{ "tcp:h:1,pad", "option pad has no value; the form is pad=0 or pad=60" },
	{ "tcp:h:1,pad=0,pad=0", "option pad is given twice; give it once" },
	{ "fd:2", "descriptor 2 is standard error, where messages go; "
		  "pass it by another number" },
	{ "tap:a,mtu=9000", NO_TAP_OPTION("tap", "mtu") "tap:NAME" },
	{ "fd:", "nothing follows fd:; the form is fd:N[,vhost-user]" },
	{ "fd:x", "descriptor \"x\" must be a number, as in fd:3" },
	{ "fd:-1", "descriptor \"-1\" must be a number, as in fd:3" },
	{ "fd:2147483648", "descriptor \"2147483648\" must be a number, as in fd:3" },
	{ "exec:", "nothing follows exec:; the form is exec:COMMAND" },
	{ "exec:  ", "the command is blank; the form is exec:COMMAND" },
};

static const struct bad bad_rules[] = {
	{ "tcp:h:1,name", "option name has no value; the form is name=WORD" },
	{ "tcp:h:1,name=", "option name has no value; the form is name=WORD" },
	{ "tcp:h:1,name=1", NO_PORT_NAME("1") },
	{ "tcp:h:1,name=a b", NO_PORT_NAME("a b") },
	{ "unix:/a,name=a,,b", NO_PORT_NAME("a,b") },
	{ "tcp:h:1,name=" NAME31 "x", NO_PORT_NAME(NAME31 "x") },
	{ "tcp:h:1,name=a,name=b", "option name is given twice; give it once" },
	{ "tcp:h:1,dead=4", NO_DEAD("4") },
	{ "tcp:h:1,dead=3601", NO_DEAD("3601") },
	{ "trunk:h:1,dead=-1", NO_DEAD("-1") },
	{ "trunk:h:1,peer", "option peer has no value; the form is peer=PUBKEY" },
	{ "trunk:h:1,peer=x", NO_KEY("x") },
	{ "trunk:h:1,peer=" PUBKEY "=", NO_KEY(PUBKEY "=") },
	{ "trunk:h:1,peer=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
	  NO_KEY("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=") },
	{ "trunk:h:1,psk=", "option psk has no value; the form is psk=FILE" },
	{ "trunk:h:1,peers=f",
	  NO_LISTEN_OPTION("trunk", "peers",
			   "dead=SECONDS, peer=PUBKEY, udp, keepalive=SECONDS, "
			   "psk=FILE") "trunk:HOST:PORT; did you mean peer?" },
	{ "tcp:h:1,peer=" PUBKEY, NO_TCP_OPTION("tcp", "peer") "tcp:HOST:PORT" },
	{ "trunk:h:1,udp=1", "option udp takes no value; say udp alone" },
	{ "trunk:h:1,keepalive=3601",
	  "option keepalive: \"3601\" must be a number of seconds from 1 to 3600, or 0 for "
	  "never" },
	{ "trunk:h:1,keepalive=", "option keepalive has no value; the form is "
				  "keepalive=SECONDS" },
	{ "tcp-listen:1,plain=1", "option plain takes no value; say plain alone" },
	{ "tcp-listen:1,dead=x", NO_DEAD("x") },
	{ "tcp:h:1,dead", "option dead has no value; the form is dead=SECONDS" },
	{ "unix:a,dead=9", NO_OPTION("unix", "dead") "unix:PATH" DOUBLED },
	{ "tcp:h:1,Isolated",
	  NO_TCP_OPTION("tcp", "Isolated") "tcp:HOST:PORT; did you mean isolated?" },
	{ "tcp:h:1,isolated=on", "option isolated takes no value; say isolated alone" },
	{ "tcp:h:1,isolated=", "option isolated takes no value; say isolated alone" },
	{ "fd:3,vhost-user=1", "option vhost-user takes no value; say vhost-user alone" },
	{ "fd:3,isolated,isolated", "option isolated is given twice; give it once" },
	{ "unix:a,isolated,", "nothing follows a comma; the form is unix:PATH" DOUBLED },
	{ "udp:h:1,isolated,local=1,local=1",
	  "option local is given twice; give it once" },
	{ "bridge:b,mtu=99,isolated,mtu=99", "option mtu is given twice; give it once" },
	{ "tap:t,mac", "option mac has no value; the form is mac=52:54:00:00:00:01" },
	{ "tap:t,mac=", "option mac has no value; the form is mac=52:54:00:00:00:01" },
	{ "tap:t,mac=52:54:00:00:00", NO_MAC("52:54:00:00:00") },
	{ "tap:t,mac=52:54:00:00:00:", NO_MAC("52:54:00:00:00:") },
	{ "tap:t,mac=52:54:00:00:00:1", NO_MAC("52:54:00:00:00:1") },
	{ "tap:t,mac=52:54:00:00:00:011", NO_MAC("52:54:00:00:00:011") },
	{ "tap:t,mac=52:54:00:00:00:01:02", NO_MAC("52:54:00:00:00:01:02") },
	{ "tap:t,mac=52:54:00:00:00:0g", NO_MAC("52:54:00:00:00:0g") },
	{ "tap:t,mac=52:54:00:00:00:0G", NO_MAC("52:54:00:00:00:0G") },
	{ "tap:t,mac=52-54-00-00-00-01", NO_MAC("52-54-00-00-00-01") },
	{ "tap:t,mac=525400000001", NO_MAC("525400000001") },
	{ "tap:t,mac= 52:54:00:00:00:01", NO_MAC(" 52:54:00:00:00:01") },
	{ "tap:t,mac=00:00:00:00:00:00", NO_MAC("00:00:00:00:00:00") },
	{ "tap:t,mac=01:00:5e:00:00:01", NO_MAC("01:00:5e:00:00:01") },
	{ "tap:t,mac=ff:ff:ff:ff:ff:ff", NO_MAC("ff:ff:ff:ff:ff:ff") },
	{ "tap:t," MAC("a") "," MAC("b") "," MAC("A"),
	  "option mac: \"52:54:00:00:00:0A\" is given twice; give each address once" },
	{ "tcp-listen:1,allow=10.0.0.1/8",
	  "option allow: 10.0.0.1/8 has bits beyond /8; write 10.0.0.0/8" },
	{ "tcp-listen:1,allow=10.0.0.0/8+2001:db8::1/32",
	  "option allow: 2001:db8::1/32 has bits beyond /32; write 2001:db8::/32" },
	{ "tcp-listen:1,allow=::ffff:10.0.0.0/90",
	  "option allow: ::ffff:10.0.0.0/90 has bits beyond /90; write ::ffc0:0:0/90" },
	{ "tcp-listen:1,allow=1.2.3.4/33",
	  "option allow: /33: the length of a network is from 0 to 32 bits" },
	{ "tcp-listen:1,allow=::/129",
	  "option allow: /129: the length of a network is from 0 to 128 bits" },
	{ "tcp-listen:1,allow=1.2.3.4/",
	  "option allow: /: the length of a network is from 0 to 32 bits" },
	{ "tcp-listen:1,allow=1.2.3.4+", "option allow: " NO_NET("") },
	{ "tcp-listen:1,allow=+1.2.3.4", "option allow: " NO_NET("") },
	{ "tcp-listen:1,allow=10.0.0", "option allow: " NO_NET("10.0.0") },
	{ "tcp-listen:1,allow=[::1", "option allow: " NO_NET("[::1") },
	{ "tcp-listen:1,allow=fe80::1%eth0", "option allow: " NO_NET("fe80::1%eth0") },
	{ "tcp-listen:1,allow=uid:root", "option allow: " NO_NET("uid:root") },
	{ "tcp-listen:1,allow", "option allow has no value; the form is allow=CIDR" },
	{ "tcp-listen:1,allow=::1,allow=::1",
	  "option allow is given twice; give it once" },
	{ "tcp-listen:1,allow=" NETS16 "+1.2.3.4",
	  "option allow: \"1.2.3.4\" is one too many; 16 are allowed at most" },
	{ "tcp-listen:1,max=0", NO_LIMIT("max", "0") },
	{ "tcp-listen:1,max=1000001", NO_LIMIT("max", "1000001") },
	{ "tcp-listen:1,per-address=x", NO_LIMIT("per-address", "x") },
	{ "tcp-listen:1,accept-rate=-1", NO_LIMIT("accept-rate", "-1") },
	{ "unix-listen:a,allow=root",
	  "option allow: \"root\" must be uid:NAME or gid:NAME" },
	{ "unix-listen:a,allow=10.0.0.0/8",
	  "option allow: \"10.0.0.0/8\" must be uid:NAME or gid:NAME" },
	{ "unix-listen:a,allow=uid:",
	  "option allow: the name \"\" must have 1 to 32 bytes" },
	{ "unix-listen:a,allow=gid:" LONG_USER,
	  "option allow: the name \"" LONG_USER "\" must have 1 to 32 bytes" },
	{ "unix-listen:a,group=" LONG_USER,
	  "option group: the name \"" LONG_USER "\" must have 1 to 32 bytes" },
	{ "unix-listen:a,per-address=1",
	  NO_LISTEN_OPTION("unix-listen", "per-address",
			   UNIX_LISTEN_OPTIONS) "unix-listen:PATH[,mode=0660]" DOUBLED },
	{ "tap:t," MACS8 "," MAC("9"),
	  "option mac: \"52:54:00:00:00:09\" is one too many; a port has 8 addresses at "
	  "most, or any without this option" },
};

#define NO_LISTEN                                                              \
	"nothing can listen on this; -l takes PORT, ADDR:PORT, [ADDR6]:PORT, " \
	"vhost-user-listen:PATH, tcp-listen:[ADDR:]PORT or unix-listen:PATH[,mode=0660]"
#define LISTEN_COLONS                            \
	COLONS("PORT, ADDR:PORT, [ADDR6]:PORT, " \
	       "vhost-user-listen:PATH, tcp-listen:[ADDR:]PORT or unix-listen:PATH[,mode=0660]")

static const struct bad bad_listen[] = {
	{ "", NO_LISTEN },
	{ "-", NO_LISTEN },
	{ "br0", NO_LISTEN },
	{ "host:5000", NO_LISTEN },
	{ ":5000", NO_LISTEN },
	{ "::1:5000", NO_LISTEN },
	{ "tcp:10.0.0.1:5000", NO_LISTEN },
	{ "unix:/run/a", NO_LISTEN },
	{ "/run/a", NO_LISTEN },
	{ "unix-lisen:/a", NO_LISTEN "; did you mean unix-listen?" },
	{ "tcp-listen://5000", NO_PORT("//5000") "; leave out the //" },
	{ "exec:nc -l 5000", NO_LISTEN },
	{ "0", NO_PORT("0") },
	{ "65536", NO_PORT("65536") },
	{ "5000x", NO_PORT("5000x") },
	{ "5000,isolated", NEED_LONG("tcp-listen:5000,isolated") },
	{ "[::1]:5000,mac=x", NEED_LONG("tcp-listen:[::1]:5000,mac=x") },
	{ "0,isolated", NO_PORT("0") },
	{ "[fe80::1%a,b]:5000", NO_ADDR("[fe80::1%a,b]") },
	{ "tcp-listen:5000,isolated=1",
	  "option isolated takes no value; say isolated alone" },
	{ "10.0.0.1", NO_PORT("10.0.0.1") },
	{ "10.0.0.1:", MISSING_PORT },
	{ "10.0.0.256:1", NO_ADDR("10.0.0.256") },
	{ "[::1", LISTEN_COLONS },
	{ "5000:10.0.0.1:5000", LISTEN_COLONS },
	{ "tcp-listen:0", NO_PORT("0") },
	{ "unix-listen:a,mode=x",
	  "option mode: \"x\" must be an octal number from 0 to 0777" },
};

static void add_addr(FILE *out, const char *key, const struct endpoint_addr *addr)
{
	static const char *const families[] = { [AF_INET] = "/4", [AF_INET6] = "/6" };

	if (!*addr->host && !addr->family && !addr->port)
		return;
	fprintf(out, " %s=%s", key, addr->host);
	if (*addr->host || addr->family)
		fputs(addr->family ? families[addr->family] : "/0", out);
	fprintf(out, ":%u", addr->port);
}

static void add_str(FILE *out, const char *key, const char *value)
{
	if (*value)
		fprintf(out, " %s=%s", key, value);
}

static void add_allow(FILE *out, const struct endpoint_allow *a)
{
	static const char *const kinds[] = { "net", "uid", "gid" };

	fprintf(out, " %s:", kinds[a->kind]);
	if (a->kind != ENDPOINT_ALLOW_NET) {
		fputs(a->name, out);
		return;
	}
	for (int i = 0; i < 16; i++)
		fprintf(out, "%02x", a->addr[i]);
	fprintf(out, "/%u", a->bits);
}

static void add_access(FILE *out, const struct endpoint_access *a)
{
	for (unsigned i = 0; i < a->n; i++)
		add_allow(out, &a->allow[i]);
	add_str(out, "group", a->group);
	if (a->max)
		fprintf(out, " max=%" PRIu32, a->max);
	if (a->per_address)
		fprintf(out, " per_address=%" PRIu32, a->per_address);
	if (a->accept_rate)
		fprintf(out, " accept_rate=%" PRIu32, a->accept_rate);
}

static void add_rules(FILE *out, const struct endpoint_rules *given)
{
	if (given->is_isolated)
		fputs(" isolated", out);
	if (given->is_unpadded)
		fputs(" unpadded", out);
	for (unsigned i = 0; i < given->n_macs; i++) {
		const uint8_t *mac = given->macs[i];

		fprintf(out, " mac=%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
			mac[3], mac[4], mac[5]);
	}
}

/* Everything in @ep that is not at its default, in one line; the caller's to free. */
static char *describe(const struct endpoint *ep)
{
	static const char *const kinds[] = {
		[ENDPOINT_STDIO] = "stdio",
		[ENDPOINT_TCP] = "tcp",
		[ENDPOINT_TCP_LISTEN] = "tcp-listen",
		[ENDPOINT_UNIX] = "unix",
		[ENDPOINT_UNIX_LISTEN] = "unix-listen",
		[ENDPOINT_UDP] = "udp",
		[ENDPOINT_UNIXGRAM] = "unixgram",
		[ENDPOINT_MCAST] = "mcast",
		[ENDPOINT_BRIDGE] = "bridge",
		[ENDPOINT_TAP] = "tap",
		[ENDPOINT_FD] = "fd",
		[ENDPOINT_EXEC] = "exec",
		[ENDPOINT_TRUNK] = "trunk",
		[ENDPOINT_VHOST] = "vhost-user",
		[ENDPOINT_VHOST_LISTEN] = "vhost-user-listen",
	};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fputs(kinds[ep->kind], out);
	add_addr(out, "remote", &ep->remote);
	add_addr(out, "local", &ep->local);
	add_str(out, "path", ep->path);
	add_str(out, "local_path", ep->local_path);
	add_str(out, "name", ep->name);
	add_str(out, "tap", ep->tap);
	if (ep->mtu)
		fprintf(out, " mtu=%" PRIu32, ep->mtu);
	if (ep->mode != 0600)
		fprintf(out, " mode=0%o", (unsigned int)ep->mode);
	if (ep->dead != ENDPOINT_DEAD_USUAL)
		fprintf(out, " dead=%d", ep->dead);
	if (ep->has_peer) {
		char peer[KEY_TEXT_MAX];

		key_write(peer, ep->peer);
		add_str(out, "peer", peer);
	}
	add_str(out, "psk", ep->psk_path);
	add_str(out, "peers", ep->peers_path);
	if (ep->is_udp)
		fputs(" udp", out);
	if (ep->keepalive)
		fprintf(out, " keepalive=%d", ep->keepalive);
	if (ep->takes_plain)
		fputs(" plain", out);
	if (ep->fd != -1)
		fprintf(out, " fd=%d", ep->fd);
	if (ep->is_vhost)
		fputs(" vhost", out);
	if (ep->kind == ENDPOINT_EXEC)
		fprintf(out, " command=%s", endpoint_command(ep));
	add_access(out, &ep->access);
	add_rules(out, &ep->rules);
	fclose(out);
	return text;
}

static void test_good(parse_fn parse, const struct good *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char why[WHY_MAX] = "untouched";
		struct endpoint ep;
		char *got;

		memset(&ep, 0xa5, sizeof(ep));
		if (!ok_eq_int(parse(&ep, cases[i].text, why, sizeof(why)), 0,
			       "%s is read", cases[i].text)) {
			printf("# %s\n", why);
			continue;
		}
		got = describe(&ep);
		ok_eq_str(got, cases[i].want, "%s is what it says", cases[i].text);
		ok_eq_str(ep.text, cases[i].text, "%s is kept as typed", cases[i].text);
		ok_eq_str(why, "untouched", "%s brings no message", cases[i].text);
		free(got);
	}
}

static void test_port_names(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct endpoint ep, same;
		char why[WHY_MAX] = "";

		memset(&ep, 0xa5, sizeof(ep));
		ok_eq_int(endpoint_parse(&ep, names[i].typed, why, sizeof(why)), 0,
			  "%s is read %s", names[i].typed, why);
		ok_eq_str(ep.port_name, names[i].name, "its name");
		ok_eq_str(ep.text, names[i].text, "and the text without it");
		ok_eq_int(endpoint_parse(&same, ep.text, why, sizeof(why)), 0,
			  "which is an endpoint, too %s", why);
		ok(!*same.port_name && !strcmp(same.path, ep.path) &&
			   !strcmp(same.local_path, ep.local_path) &&
			   !memcmp(&same.rules, &ep.rules, sizeof(ep.rules)),
		   "the same without a name");
	}
}

static void test_open(void)
{
	static const struct {
		const char *text;
		bool is_open;
	} cases[] = {
		{ "5000", true },
		{ "0.0.0.0:5000", true },
		{ "10.0.0.1:5000", true },
		{ "127.0.0.1:5000", false },
		{ "127.9.9.9:5000", false },
		{ "[::]:5000", true },
		{ "[::1]:5000", false },
		{ "[::ffff:127.0.0.1]:5000", false },
		{ "[::ffff:10.0.0.1]:5000", true },
		{ "[fe80::1%eth0]:5000", true },
		{ "tcp-listen:5000,allow=10.0.0.0/8", false },
		{ "unix-listen:a", false },
	};
	struct endpoint ep;
	char why[WHY_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ok(endpoint_parse_listen(&ep, cases[i].text, why, sizeof(why)) == 0 &&
			   endpoint_is_open(&ep) == cases[i].is_open,
		   "%s is %sopen to others", cases[i].text,
		   cases[i].is_open ? "" : "not ");
}

static void test_bad(parse_fn parse, const struct bad *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char want[WHY_MAX];
		char why[WHY_MAX] = "";
		struct endpoint ep;

		snprintf(want, sizeof(want), "%.64s%s: %s",
			 *cases[i].text ? cases[i].text : "\"\"",
			 strlen(cases[i].text) > 64 ? "..." : "", cases[i].why);
		ok_eq_int(parse(&ep, cases[i].text, why, sizeof(why)), -EINVAL,
			  "\"%s\" is refused", cases[i].text);
		ok_eq_str(why, want, "\"%s\" is told why", cases[i].text);
	}
}

static int parse_why(const char *text, char *why)
{
	struct endpoint ep;

	*why = '\0';
	return endpoint_parse(&ep, text, why, WHY_MAX);
}

/* "@head", then @n bytes of 'a', then "@tail". */
static char *stretch(const char *head, size_t n, const char *tail)
{
	size_t start = strlen(head);
	char *text = malloc(start + n + strlen(tail) + 1);

	if (!text)
		abort();
	strcpy(text, head);
	memset(text + start, 'a', n);
	strcpy(text + start + n, tail);
	return text;
}

static void test_length(const char *head, size_t longest, const char *tail,
			const char *says)
{
	char *fits = stretch(head, longest, tail);
	char *is_over = stretch(head, longest + 1, tail);
	char why[WHY_MAX];

	ok_eq_int(parse_why(fits, why), 0, "%s + %zu bytes fit", head, longest);
	ok_eq_int(parse_why(is_over, why), -EINVAL, "%s + %zu bytes do not", head,
		  longest + 1);
	if (!ok(strstr(why, says), "%s + %zu bytes: the message has \"%s\"", head,
		longest + 1, says))
		printf("# %s\n", why);
	free(fits);
	free(is_over);
}

static void test_lengths(void)
{
	static const char path[] =
		"the path is 108 bytes long; a unix socket's has 107 at most";
	static const char too_long_file[] = "the path has 256 bytes; 255 are allowed";
	static const char too_long[] =
		"an endpoint of 1024 bytes is too long; 1023 are allowed";
	char why[WHY_MAX], *stretched;
	struct endpoint ep;

	test_length("", 15, "", LONG_NAME);
	test_length("bridge:", 15, "", LONG_NAME);
	test_length("bridge:br0,tap=", 15, ",mtu=1500", LONG_NAME);
	test_length("tap:", 15, "", LONG_NAME);
	test_length("mcast:[ff02::1]:1,if=", 15, "", LONG_NAME);
	test_length("[fe80::1%", 15, "]:1", "is no IPv4 address or [IPv6 address]");
	test_length("[::%", 15, "]:1", "is no IPv4 address or [IPv6 address]");
	for (size_t n = ENDPOINT_HOST_MAX - 4; n < ENDPOINT_HOST_MAX + 4; n++) {
		char *text = stretch("tcp:[", n, "]:1");

		ok_eq_int(parse_why(text, why), -EINVAL, "%zu bytes are no IPv6 address",
			  n);
		free(text);
	}
	test_length("tcp:", 253, ":5000", "is no name, IPv4 address or [IPv6 address]");
	test_length("unix:", 107, "", path);
	test_length("unix:", 106, ",,", path);
	test_length("unix-listen:", 107, ",mode=0600", path);
	test_length("unixgram:", 107, ",local=b", path);
	test_length("unixgram:b,local=", 107, "", path);
	test_length("tcp-listen:1,peers=", ENDPOINT_FILE_MAX - 1, ",plain",
		    too_long_file);
	test_length("trunk:h:1,peer=" PUBKEY ",psk=", ENDPOINT_FILE_MAX - 1, "",
		    too_long_file);
	test_length("exec:", ENDPOINT_TEXT_MAX - 1 - strlen("exec:"), "", too_long);
	stretched =
		stretch("unix-listen:", ENDPOINT_TEXT_MAX - strlen("unix-listen:"), "");
	ok_eq_int(endpoint_parse_listen(&ep, stretched, why, sizeof(why)), -EINVAL,
		  "behind -l, too");
	ok(strstr(why, too_long), "said so");
	free(stretched);
	stretched = stretch("5000,udp,name=", ENDPOINT_TEXT_MAX - 15, "");
	ok_eq_int(endpoint_parse_listen(&ep, stretched, why, sizeof(why)), -EINVAL,
		  "so does udp's, which is read as a long form");
	ok(strstr(why, " bytes is too long; 1023 are allowed"), "said so, too");
	free(stretched);
}

static void test_quoting(void)
{
	char *lengthy = stretch("unix:", 200, "");
	char why[WHY_MAX];

	parse_why("br\x1b[2J\n\x7f", why);
	ok_eq_str(
		why,
		"br\\x1b[2J\\x0a\\x7f: the bridge's name \"br\\x1b[2J\\x0a\\x7f\" must not "
		"contain blanks or control characters",
		"control characters are escaped");
	parse_why("\xc3\xb6:1", why);
	ok_eq_str(why,
		  "\\xc3\\xb6:1: \"\\xc3\\xb6\" is no IPv4 address or [IPv6 address]",
		  "bytes beyond ASCII are escaped");
	parse_why("exec: \t", why);
	ok_eq_str(why, "exec: \\x09: the command is blank; the form is exec:COMMAND",
		  "a tab is escaped");
	parse_why("br\x7f", why);
	ok_eq_str(
		why,
		"br\\x7f: the bridge's name \"br\\x7f\" must not contain blanks or control "
		"characters",
		"the last control character is one too");
	parse_why(lengthy, why);
	ok(!strncmp(why, lengthy, 64) && !strncmp(why + 64, "...: ", 5),
	   "a long text is repeated in part");
	free(lengthy);
}

/* Whatever room there is for it, a message stays within, ends, and breaks no escape. */
static void test_small_buffers(void)
{
	char whole[WHY_MAX];
	int wrong = 0;

	parse_why("\x01\x02", whole);
	for (size_t size = 0; size <= strlen(whole) + 1; size++) {
		char *why = malloc(size + 1);
		struct endpoint ep;

		if (!why)
			abort();
		memset(why, 'z', size + 1);
		endpoint_parse(&ep, "\x01\x02", why, size);
		wrong += why[size] != 'z';
		if (size)
			wrong += strlen(why) >= size ||
				 strncmp(why, whole, strlen(why)) ||
				 (strlen(why) < 8 && strlen(why) % 4);
		free(why);
	}
	ok_eq_int(wrong, 0, "messages are cut to the room there is");
}

static void test_small_lists(void)
{
	char whole[256];
	int wrong = 0;

	endpoint_long_list(whole, sizeof(whole));
	ok(strlen(whole) < sizeof(whole) - 1 && strstr(whole, "udp, "), "%s", whole);
	for (size_t size = 1; size <= strlen(whole) + 1; size++) {
		char *list = malloc(size);

		if (!list)
			abort();
		endpoint_long_list(list, size);
		wrong += strlen(list) != size - 1 || strncmp(list, whole, size - 1) != 0;
		free(list);
	}
	ok_eq_int(wrong, 0, "the list of kinds is cut to the room there is");
}

/* What is refused leaves what was there; the text may be cut short anywhere. */
static void test_mac(void)
{
	static const uint8_t before[6] = { 9, 9, 9, 9, 9, 9 };
	static const char whole[] = "02:00:00:00:00:0f";
	uint8_t mac[6];
	int wrong = 0;

	for (size_t len = 0; len < strlen(whole); len++) {
		char *text = strndup(whole, len);

		memcpy(mac, before, sizeof(mac));
		wrong += endpoint_parse_mac(mac, text) != -EINVAL ||
			 memcmp(mac, before, sizeof(mac)) != 0;
		free(text);
	}
	ok_eq_int(wrong, 0, "an address cut short is none");
	ok_eq_int(endpoint_parse_mac(mac, whole), 0, "a whole one is");
	ok(mac[0] == 2 && mac[5] == 15, "and is read");
}

static const char *pick_seed(uint32_t r)
{
	size_t n_short = ARRAY_SIZE(short_forms), n_long = ARRAY_SIZE(long_forms);
	size_t n_rules = ARRAY_SIZE(rules);
	size_t i = r % (n_short + n_long + n_rules + ARRAY_SIZE(listen_forms));

	if (i < n_short)
		return short_forms[i].text;
	if (i < n_short + n_long)
		return long_forms[i - n_short].text;
	i -= n_short + n_long;
	return i < n_rules ? rules[i].text : listen_forms[i - n_rules].text;
}

/* Up to four bytes of a valid text are replaced, removed, doubled or put in. */
static void mutate(char *text, size_t size)
{
	static const char bytes[] = ":::,,,[[]]%%==..--00159aftu/ \n\x01\x7f\x80\xff";
	uint32_t rounds = rnd(5);

	strcpy(text, pick_seed(rnd32()));
	while (rounds--) {
		size_t len = strlen(text);
		size_t at = rnd((uint32_t)len + 1);
		char byte = bytes[rnd(sizeof(bytes) - 1)];
		uint32_t what = rnd(4);

		if (what == 0 && at < len) {
			text[at] = byte;
		} else if (what == 1 && at < len) {
			memmove(text + at, text + at + 1, len - at);
		} else if (what == 2 && len * 2 < size) {
			memcpy(text + len, text + at, len - at);
			text[2 * len - at] = '\0';
		} else if (len + 1 < size) {
			memmove(text + at + 1, text + at, len - at + 1);
			text[at] = byte;
		}
	}
}

static bool is_printable_line(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

/* What the drivers rely on, and would have no way to refuse later. */
static bool is_sound(const struct endpoint *ep)
{
	static const struct {
		bool remote, port, path, name;
	} needs[] = {
		[ENDPOINT_TCP] = { .remote = true },
		[ENDPOINT_TCP_LISTEN] = { .port = true },
		[ENDPOINT_UNIX] = { .path = true },
		[ENDPOINT_UNIX_LISTEN] = { .path = true },
		[ENDPOINT_UDP] = { .remote = true, .port = true },
		[ENDPOINT_UNIXGRAM] = { .path = true },
		[ENDPOINT_MCAST] = { .remote = true },
		[ENDPOINT_BRIDGE] = { .name = true },
		[ENDPOINT_TAP] = { .name = true },
		[ENDPOINT_FD] = { .remote = false },
		[ENDPOINT_EXEC] = { .remote = false },
		[ENDPOINT_TRUNK] = { .remote = true },
		[ENDPOINT_VHOST] = { .path = true },
		[ENDPOINT_VHOST_LISTEN] = { .path = true },
	};

	if (needs[ep->kind].remote && (!*ep->remote.host || !ep->remote.port))
		return false;
	if (needs[ep->kind].port && !ep->local.port)
		return false;
	if (needs[ep->kind].path && (!*ep->path || !strcmp(ep->path, ep->local_path)))
		return false;
	if (needs[ep->kind].name && (!*ep->name || strpbrk(ep->name, "/:,% \n")))
		return false;
	for (unsigned i = 0; i < ep->rules.n_macs; i++)
		if (ep->rules.macs[i][0] & 1)
			return false;
	return ep->rules.n_macs <= ENDPOINT_MACS_MAX &&
	       (!ep->mtu || (ep->mtu >= 68 && ep->mtu <= 65521));
}

/* @text and @why are given no byte more than they have, so that a sanitizer sees overruns. */
static bool holds(parse_fn parse, const char *text)
{
	char *exact = strdup(text), *why = calloc(1, WHY_MAX);
	struct endpoint ep;
	bool passed;
	int err;

	if (!exact || !why)
		abort();
	memset(&ep, 0xa5, sizeof(ep));
	err = parse(&ep, exact, why, WHY_MAX);
	if (err)
		passed = err == -EINVAL && is_printable_line(why);
	else
		passed = !*why && !strcmp(ep.text, text) && is_sound(&ep);
	free(exact);
	free(why);
	return passed;
}

static void test_mutations(parse_fn parse, const char *name)
{
	char text[512];

	for (int i = 0; i < MUTATIONS; i++) {
		mutate(text, sizeof(text));
		if (!holds(parse, text)) {
			ok(false, "%s: mutation %d holds: %s", name, i, text);
			return;
		}
	}
	ok(true, "%s: %d mutations hold", name, MUTATIONS);
}

int main(void)
{
	test_good(endpoint_parse, short_forms, ARRAY_SIZE(short_forms));
	test_good(endpoint_parse, long_forms, ARRAY_SIZE(long_forms));
	test_good(endpoint_parse, rules, ARRAY_SIZE(rules));
	test_good(endpoint_parse_listen, listen_forms, ARRAY_SIZE(listen_forms));
	test_port_names();
	test_open();
	test_bad(endpoint_parse, bad_short, ARRAY_SIZE(bad_short));
	test_bad(endpoint_parse, bad_host, ARRAY_SIZE(bad_host));
	test_bad(endpoint_parse, bad_rest, ARRAY_SIZE(bad_rest));
	test_bad(endpoint_parse, bad_rules, ARRAY_SIZE(bad_rules));
	test_bad(endpoint_parse_listen, bad_listen, ARRAY_SIZE(bad_listen));
	test_lengths();
	test_quoting();
	test_small_buffers();
	test_small_lists();
	test_mac();
	test_mutations(endpoint_parse, "endpoint_parse");
	test_mutations(endpoint_parse_listen, "endpoint_parse_listen");
	return done();
}
