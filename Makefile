# netrelay: `make help` lists the targets.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION)
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
V       ?= 0

# The static build takes musl's compiler where there is one; on a system that is
# made of musl (Alpine) the usual one is it.
ifeq ($(origin CC),default)
CC := $(if $(shell command -v musl-gcc),musl-gcc,gcc)
endif
HOST_CC ?= gcc
STRIP   ?= strip
# Small; the files that every frame passes through are fast instead.
CFLAGS  ?= -Os -g
HOT     := relay port stream dgram port-tap fifo loop

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wformat=2
BASE := -std=gnu11 -D_GNU_SOURCE -Isrc $(WARNINGS) -MMD -MP \
	-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
LINK := -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,--build-id=none
ifdef WERROR
BASE += -Werror
endif

SRC := main.c conf.c endpoint.c \
	relay.c status.c \
	ports.c port.c listen.c stream.c dgram.c port-accepted.c port-dial.c \
	port-exec.c port-fd.c port-mcast.c port-stdio.c port-tap.c port-udp.c \
	port-unixgram.c \
	helper.c helper-serve.c link.c bridge-helper.c nl.c sock.c fifo.c \
	loop.c frame.c log.c

# libmnl for a static build: LIBMNL_PREFIX, else pkg-config's static one, else our
# stand-in for the few functions we use. `netrelay --version` says which.
ifdef LIBMNL_PREFIX
MNL_STATIC := $(LIBMNL_PREFIX)/lib/libmnl.a
MNL_CFLAGS := -I$(LIBMNL_PREFIX)/include
else
MNL_STATIC := $(wildcard $(shell pkg-config --variable=libdir libmnl 2>/dev/null)/libmnl.a)
endif
ifneq ($(findstring musl-gcc,$(CC)),)
# The kernel's headers, behind musl's own.
HOST_INCLUDE := -idirafter /usr/include -idirafter \
	/usr/include/$(shell $(HOST_CC) -print-multiarch)
# A glibc libmnl.a would not do.
ifndef LIBMNL_PREFIX
MNL_STATIC :=
endif
endif
ifeq ($(MNL_STATIC),)
SRC_MNL := mnl-standin.c
MNL_NAME := libmnl stand-in
else
MNL_NAME := libmnl
endif

STATIC_OBJ := $(addprefix $(BUILD)/static/,$(patsubst %.c,%.o,$(SRC) $(SRC_MNL)))
SHARED_OBJ := $(addprefix $(BUILD)/shared/,$(SRC:.c=.o))
TESTS := endpoint conf fifo loop log nl

Q := $(if $(filter 1,$(V)),,@)

all: $(BUILD)/netrelay ## the static binary, build/netrelay

shared: $(BUILD)/netrelay-shared ## build/netrelay-shared, with the host's libc and libmnl

$(foreach d,static shared,$(HOT:%=$(BUILD)/$(d)/%.o)): CFLAGS += -O2

$(BUILD)/netrelay: $(STATIC_OBJ)
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS) -static $(LINK) $(LDFLAGS) -o $@.debug $^ $(MNL_STATIC)
	$(Q)$(STRIP) -o $@ $@.debug

$(BUILD)/netrelay-shared: $(SHARED_OBJ)
	@echo "  LINK    $@"
	$(Q)$(HOST_CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lmnl

$(BUILD)/static/%.o: src/%.c $(BUILD)/version | $(BUILD)/static
	@echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(BASE) $(CFLAGS) $(HOST_INCLUDE) $(MNL_CFLAGS) \
		-DVERSION='"$(VERSION)"' -DLIBC='"static"' -DLIBMNL='"$(MNL_NAME)"' -c -o $@ $<

$(BUILD)/shared/%.o: src/%.c $(BUILD)/version | $(BUILD)/shared
	@echo "  CC      $< (shared)"
	$(Q)$(HOST_CC) $(CPPFLAGS) $(BASE) $(CFLAGS) \
		-DVERSION='"$(VERSION)"' -DLIBC='"shared"' -DLIBMNL='"libmnl"' -c -o $@ $<

# Touched only when the version is another one, so that a commit rebuilds what shows it.
$(BUILD)/version: FORCE | $(BUILD)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@

$(BUILD) $(BUILD)/static $(BUILD)/shared:
	@mkdir -p $@

-include $(STATIC_OBJ:.o=.d) $(SHARED_OBJ:.o=.d)

clean: ## remove build/
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

FORCE:
.PHONY: all shared clean help FORCE
.DELETE_ON_ERROR:
