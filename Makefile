# make run    answer a street picture: class map, depth map, expert routing in out/
# make test   every test
# make test-long  the same with many more seeds
# make lint   formatting, clippy, rustdoc
# make bench  software device against float reference; simulation speed of the lanes
# make lint-rtl  Verilator's lint of every unit of every architecture
# make docs   bring the generated parts of docs/ up to date
#
# Both `run` and `test` install what they need (Debian packages, with sudo
# unless root). Rust itself must be there: https://rustup.rs

MODEL   ?= models/m3vit-street-tiny.f16.safetensors
PICTURE ?= samples/street/000.png
OUT     ?= out

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
APT  := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get

.PHONY: run test test-long lint lint-rtl bench docs setup setup-rtl

run: setup
	cargo build --release --bin edge-moe
	target/release/edge-moe run $(MODEL) $(PICTURE) --calibrate samples/street --out $(OUT)

test: setup-rtl
	cargo test --workspace
	cargo test --release --package edge-moe --test determinism

test-long: setup-rtl
	EMOE_LONG=1 cargo test --workspace

lint: setup
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Waived: widths (rust-hdl emits 32-bit literals), signals and parameters that
# a unit does not need, file names; UNOPTFLAT, because rust-hdl describes all
# logic of a unit in one block, so that Verilator sees loops between units
# where no bit depends on itself (yosys `check` finds none).
LINT_WAIVERS := -Wno-WIDTH -Wno-UNUSEDSIGNAL -Wno-UNUSEDPARAM -Wno-DECLFILENAME -Wno-UNOPTFLAT

lint-rtl: setup-rtl
	cargo run --quiet --package edge-moe-hdl --bin emit -- tiny ecp5-85 edge zcu102 --out $(OUT)/rtl
	for file in $(OUT)/rtl/*/*.v; do \
		verilator --lint-only -Wall $(LINT_WAIVERS) --top-module $$(basename $$file .v) $$file || exit 1; \
	done

bench: setup-rtl
	cargo bench --package edge-moe --package edge-moe-hdl

docs: setup
	UPDATE_DOCS=1 cargo test --package edge-moe-isa --test docs

setup:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { $(APT) update && $(APT) install --yes build-essential; }

setup-rtl: setup
	@for tool in verilator yosys g++; do command -v $$tool >/dev/null || missing=yes; done; \
	test -e /usr/include/zlib.h || missing=yes; \
	test -z "$$missing" || { $(APT) update && $(APT) install --yes verilator yosys g++ zlib1g-dev; }
