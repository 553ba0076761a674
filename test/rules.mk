# Builds what tests run: the unit tests and fuzzers, and the programs that itest/ uses.

TEST_NAMES := -DVERSION='"test"' -DLIBC='"test"' -DLIBMNL='"test"' -DCRYPTO='"test"' \
	-DFRAME_ASSERTS -DNO_SANDBOX
# A report needs lines; -g would also tell a debugger of variables, and takes longer.
SANITIZE := -g1 -O1 -fsanitize=address,undefined -fno-sanitize-recover=all

# Where there is lld, it links each test in a third of the time.
TEST_LINKER := $(if $(shell command -v ld.lld),-fuse-ld=lld)

# All sources but main.c are one shared library, so that a change is linked once, not in each test.
# Most tests are not optimised: to compile them takes longer than to run them. These run long.
LONG_TESTS := $(addprefix relay/,forward guard guests pieces relay) port/port port/port-life \
	port/port-vhost-random base/malloc seal/noise-refuse trunk/seal-link frame/gro frame/gso
UNLESS_LONG = $(if $(filter $(LONG_TESTS:%=test/%-test.c),$<),,-O0)

# FOLDER, COMPILER, FLAGS
define sanitized_objects
$(BUILD)/$(1)/src/%.o: src/%.c Makefile test/rules.mk | $(MADE)
	@mkdir -p $$(@D); echo "  CC      $$< ($(1))"
	$(Q)$(2) $(BASE) $$(SANITIZE) -fPIC $(3) $(TEST_NAMES) -c -o $$@ $$<
$(BUILD)/$(1)/src.so: $(patsubst %.c,$(BUILD)/$(1)/src/%.o,$(filter-out main.c,$(SRC)))
	@echo "  LINK    $$@"
	$(Q)$(2) $$(SANITIZE) -shared -Wl,-soname,src.so -o $$@ $$^ -lmnl $(CRYPTO_SHARED)
-include $(wildcard $(BUILD)/$(1)/src/*.d $(BUILD)/$(1)/src/*/*.d)
endef
# FOLDER, COMPILER, FOLDER of the objects, test and fuzz or one of them, FLAGS
define sanitized_programs
$(BUILD)/$(1)/%: test/%.c Makefile test/rules.mk | $(BUILD)/$(3)/src.so
	@mkdir -p $$(@D); echo "  CC      $$< ($(1))"
	$(Q)$(2) $(BASE) $$(SANITIZE) $(5) -Itest -MF $$@.d -o $$@ $$< $$| -lmnl $(CRYPTO_SHARED) \
		$$(TEST_LINKER) -Wl,-z,now,-rpath,'$$$$ORIGIN/../../$(3)'
tests-$(1:test-%=%): $(patsubst test/%.c,$(BUILD)/$(1)/%,$(wildcard $(4:%=test/*/*-%.c)))
-include $(wildcard $(BUILD)/$(1)/*/*.d)
endef
# Fuzzers that search (make fuzz) have objects that also tell what was compared. Those that run
# the same inputs every time (make test) have the objects of the tests by clang, which count only
# what was run: to tell takes these tests a quarter of their time.
# What the fuzzers themselves compare is the judgement, which need not lead libFuzzer.
$(eval $(call sanitized_objects,test-gcc,$(HOST_CC)))
NO_COMPARES := -fno-sanitize-coverage=trace-cmp
$(eval $(call sanitized_objects,test-clang,clang,-fsanitize=fuzzer-no-link $(NO_COMPARES)))
$(eval $(call sanitized_objects,fuzz,clang,-fsanitize=fuzzer-no-link))
$(eval $(call sanitized_objects,plain,$(HOST_CC)))
$(eval $(call sanitized_objects,coverage,gcc))
# "make test" has clang's with sanitizers, and gcc's as the program is released: optimised, and
# without sanitizers. "make check" has gcc's with sanitizers, for that needs no clang.
# The tests' own code is searched for undefined behaviour by clang alone: by gcc that takes long.
$(eval $(call sanitized_programs,test-gcc,$(HOST_CC),test-gcc,test fuzz,$$(UNLESS_LONG) \
	-fno-sanitize=undefined))
$(eval $(call sanitized_programs,plain,$(HOST_CC),plain,test fuzz,$$(UNLESS_LONG)))
$(eval $(call sanitized_programs,test-clang,clang,test-clang,test,$$(UNLESS_LONG)))
$(eval $(call sanitized_programs,fuzz,clang,fuzz,fuzz,-fsanitize=fuzzer $(NO_COMPARES) -DFUZZER))
$(eval $(call sanitized_programs,fuzz-brief,clang,test-clang,fuzz,-fsanitize=fuzzer \
	$(NO_COMPARES) -DFUZZER))
$(eval $(call sanitized_programs,coverage,gcc,coverage,test fuzz))
$(BUILD)/plain/%: SANITIZE := -g1 -Os
$(foreach f,$(HOT),$(BUILD)/plain/src/$(f).o): SANITIZE := -g1 -O2
$(BUILD)/coverage/%: SANITIZE := -g -O0 --coverage -include test/lib/coverage.h

# The whole program with sanitizers, from the unit tests' objects: clang's, which "make test" has,
# or without clang gcc's. itest/chaos uses it.
SANITIZER := $(if $(shell command -v clang),clang,gcc)
sanitized: $(addprefix $(BUILD)/,netrelay-sanitized netrelay-faults refuse.so) ## for chaos, faults

$(BUILD)/netrelay-sanitized: $(SRC:%.c=$(BUILD)/test-$(SANITIZER)/src/%.o)
	@echo "  LINK    $@"
	$(Q)$(SANITIZER) $(SANITIZE) -o $@ $^ -lmnl $(CRYPTO_SHARED)

# The same, whose system calls and allocations fail as itest/faults says.
FAULTS_OBJ := $(patsubst %.c,$(BUILD)/test-$(SANITIZER)/src/%.o,$(SRC) net/mnl-builtin.c)
$(BUILD)/netrelay-faults: itest/faults.c $(FAULTS_OBJ) itest/faults.def
	@echo "  LINK    $@"
	$(Q)$(SANITIZER) $(filter-out -MMD -MP -Wpedantic,$(BASE)) $(SANITIZE) -o $@ \
		$(filter-out %.def,$^) $(CRYPTO_SHARED) \
		$(shell sed -n 's/^[XYZ].\(.*\)./-Wl,--wrap=\1/p' itest/faults.def)

$(BUILD)/refuse.so: itest/refuse.c | $(BUILD)
	@echo "  CC      $@"
	$(Q)$(HOST_CC) $(filter-out -MMD -MP -Wpedantic,$(BASE)) -O1 -g -fPIC -shared -o $@ $<

frames offload without: %: $(BUILD)/%

$(BUILD)/frames: $(wildcard itest/frames*.[ch])
$(BUILD)/offload: itest/offload.c $(addprefix src/frame/,csum.c frame.c gso.c gro.c gro-packet.c)
$(BUILD)/without: itest/without.c
$(BUILD)/frames $(BUILD)/offload $(BUILD)/without: test/lib/packet.h test/lib/pieces.h | $(BUILD)
	@echo "  CC      $@"
	$(Q)$(HOST_CC) $(filter-out -MMD -MP,$(BASE)) -Iitest -Itest -O2 -g -o $@ \
		$(filter %.c,$^) -lpthread
