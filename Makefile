# demo · test · lint · bench: what people and CI call. Each installs what it needs: as root with apt, otherwise by
# unpacking Debian packages into .cache.

CACHE := $(CURDIR)/.cache
RUN := deploy/with-tools.sh
CARGO := cargo
DEMO_DATA ?= $(CACHE)/demo
RELEASE := $${CARGO_TARGET_DIR:-target}/release
BASE ?= origin/main

TEST_TOOLS := postgres ffmpeg flac python faketime qemu chromium ceph network
# What a build without features refuses; quick to compile, slow to run.
WITHOUT_FEATURES := --locked --workspace --test session_faults --config profile.dev.package.mixdown-dsp.opt-level=0

.PHONY: demo test test-long test-s3 chaos lint bench bench-nodes bench-guard golden clean-demo

demo:
	deploy/setup.sh postgres flac
	$(CARGO) build --release --locked -p mixdown
	$(RUN) examples/demo.sh $(DEMO_DATA) out

test:
	deploy/setup.sh $(TEST_TOOLS)
	$(RUN) $(CARGO) test --locked --workspace --all-features
	$(CARGO) test $(WITHOUT_FEATURES)
	cd tests/bench && ../../$(RUN) python3 -m unittest -q test_bench

# The same tests with the large counts: of random sessions, graphs and mutated files.
test-long: test-s3
	deploy/setup.sh $(TEST_TOOLS)
	$(RUN) env MIXDOWN_LONG=20 $(CARGO) test --locked --workspace --all-features

# The whole farm end to end, on Ceph's S3 gateway instead of a folder.
test-s3:
	deploy/setup.sh $(TEST_TOOLS)
	$(RUN) env MIXDOWN_TEST_STORE=ceph $(CARGO) test --locked --workspace --all-features \
		--test audited --test deliveries --test failover --test failures --test faults --test identity --test python \
		--test recall

# A farm of real processes under 300 faults; a failure is repeated with its MIXDOWN_CHAOS_SEED.
chaos:
	deploy/setup.sh postgres python ceph network
	$(RUN) env MIXDOWN_CHAOS_JOBS=$${MIXDOWN_CHAOS_JOBS:-200} MIXDOWN_CHAOS_FAULTS=$${MIXDOWN_CHAOS_FAULTS:-300} \
		$(CARGO) test --release --locked -p mixdown --test chaos -- --nocapture

lint:
	deploy/setup.sh lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --all-features
	$(RUN) deploy/lint.sh

# What each node, each kernel and the queue cost, then where Mixdown stands beside the best peers on this machine,
# docs/performance.md: minutes to hours, by the variables there.
bench: bench-nodes
	deploy/setup.sh ffmpeg flac python postgres
	$(CARGO) build --release --locked -p mixdown
	$(CARGO) build --release --locked -p mixdown-dsp --example convert
	$(RUN) python3 tests/bench $(RELEASE)/mixdown $(RELEASE)/examples/convert

# What each node and kernel costs by itself, and the queue.
bench-nodes:
	deploy/setup.sh flac postgres
	$(CARGO) bench --locked -p mixdown-dsp --bench nodes
	$(RUN) $(CARGO) bench --locked -p mixdown-dsp --bench flac
	$(RUN) $(CARGO) bench --locked -p mixdown-coordinator --bench queue

# Fails when this tree executes over 5 % more instructions than BASE for a short session.
bench-guard:
	deploy/setup.sh ffmpeg valgrind
	deploy/bench-guard.sh $(BASE)

# Prints the golden digests of the sound as it is now; a changed one demands a changed revision.
golden:
	MIXDOWN_GOLDEN=print $(CARGO) test --locked --no-fail-fast -p mixdown-dsp --test golden --test example -- --nocapture

clean-demo:
	rm -rf $(DEMO_DATA) out
