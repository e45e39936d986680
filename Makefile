# make run    answer a street picture: class map, depth map, expert routing in out/
#             (make run DEVICE=rtl: by the RTL under Verilator, cycle by cycle)
# make test   every test
# make test-long  the same with many more seeds
# make verify the RTL against the software device: three models at edge and zcu102, 10000 random programs
# make check-amx  the AMX path of the software device on an emulated CPU
# make lint   formatting, clippy, rustdoc
# make bench  measure: benches, the RTL of every architecture, the design space; into benchmarks/results
# make bench-report  render benchmarks/results into docs/benchmarks.md
# make lint-rtl  Verilator's lint of every unit of every architecture
# make bitstream BOARD=ulx3s-85f  build a bitstream with pinned open tools, into target/bitstream
#             (make bitstream-ship: and put it into bitstreams/; make floorplan: place its macros anew)
# make docs   bring the generated parts of docs/ up to date
#
# Both `run` and `test` install what they need (Debian packages, with sudo
# unless root). Rust itself must be there: https://rustup.rs

MODEL   ?= models/m3vit-street-tiny.f16.safetensors
PICTURE ?= samples/street/000.png
OUT     ?= out
DEVICE  ?= software

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
APT  := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get

.PHONY: run test test-long verify check-amx lint lint-rtl bitstream bitstream-ship floorplan bench bench-fidelity bench-report docs setup setup-python setup-rtl

# The RTL as a device needs Verilator.
SIM := $(if $(filter rtl,$(DEVICE)),--features sim)

run: $(if $(SIM),setup-rtl,setup)
	cargo build --release --bin edge-moe $(SIM)
	target/release/edge-moe run $(MODEL) $(PICTURE) --device $(DEVICE) --calibrate samples/street --out $(OUT)

test: setup-rtl
	cargo test --workspace --features edge-moe/sim
	cargo test --release --package edge-moe --test determinism

test-long: setup-rtl
	EMOE_LONG=1 cargo test --workspace --features edge-moe/sim

verify: setup-rtl
	cargo build --release --bin edge-moe --features sim
	for arch in edge zcu102; do \
		for model in models/m3vit-street-small.f16.safetensors models/m3vit-street-tiny.f16.safetensors random:1; do \
			target/release/edge-moe verify $$model $(PICTURE) --device rtl --arch $$arch || exit 1; \
		done; \
	done
	target/release/edge-moe verify --random-programs 10000 --device rtl --arch tiny
	target/release/edge-moe verify --random-programs 500 --device rtl --arch edge

# Bochs, with a Sapphire Rapids that has AMX. Version 3.0 extends no sign in products of tiles (Intel SDM,
# volume 2, TDPBUSD): mended before it is built.
AMX          := target/amx
BOCHS        ?= $(AMX)/bochs-3.0/bochs
BOCHS_URL    := https://deb.debian.org/debian/pool/main/b/bochs/bochs_3.0+dfsg.orig.tar.xz
BOCHS_SHA256 := 78f6c73d4a6472d5130a87ab9dc306d02c7c71ed8e25b3a8ef642e2a7acd282b
X86_64_LINUX := x86_64-unknown-linux-gnu

check-amx: setup $(BOCHS) $(AMX)/kernel.bin
	RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static" \
		cargo build --release --package edge-moe-amx --target $(X86_64_LINUX) --target-dir $(AMX)
	python3 tests/amx/check.py $(BOCHS) $(AMX)/kernel.bin $(AMX)/$(X86_64_LINUX)/release/edge-moe-amx $(AMX)/run

$(AMX)/kernel.bin: tests/amx/kernel.s
	mkdir -p $(AMX)
	as -o $(AMX)/kernel.o $<
	ld -o $@ --oformat binary -Ttext 0x8000 -e _start $(AMX)/kernel.o

$(AMX)/bochs-3.0/bochs:
	@for tool in g++ curl xz; do command -v $$tool >/dev/null || missing=yes; done; \
	test -z "$$missing" || { $(APT) update && $(APT) install --yes g++ curl xz-utils; }
	mkdir -p $(AMX)
	curl --fail --location --silent --show-error --output $(AMX)/bochs.tar.xz $(BOCHS_URL)
	echo "$(BOCHS_SHA256)  $(AMX)/bochs.tar.xz" | sha256sum --check --quiet
	tar --extract --directory $(AMX) --file $(AMX)/bochs.tar.xz
	sed --in-place 's/\* Bit32s(ybyte\[\([0-3]\)\])/* Bit32s(Bit8s(ybyte[\1]))/' $(AMX)/bochs-3.0/cpu/avx/amx.cc
	cd $(AMX)/bochs-3.0 && CFLAGS="-O2 -w" CXXFLAGS="-O2 -w" ./configure --enable-cpu-level=6 --enable-x86-64 \
		--enable-avx --enable-evex --enable-amx --with-nogui --disable-docbook >configure.log
	$(MAKE) --directory $(AMX)/bochs-3.0 >$(AMX)/bochs.log

lint: setup
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --package edge-moe --features sim --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --features edge-moe/sim

# Waived: widths (rust-hdl emits 32-bit literals), signals and parameters that
# a unit does not need, file names; UNOPTFLAT, because rust-hdl describes all
# logic of a unit in one block, so that Verilator sees loops between units
# where no bit depends on itself (yosys `check` finds none). On boards also
# ports of the core that stay open.
LINT_WAIVERS := -Wno-WIDTH -Wno-UNUSEDSIGNAL -Wno-UNUSEDPARAM -Wno-DECLFILENAME -Wno-UNOPTFLAT

lint-rtl: setup-rtl
	cargo run --quiet --package edge-moe-hdl --bin emit -- tiny ecp5-85 edge zcu102 --out $(OUT)/rtl
	for file in $(OUT)/rtl/*/*.v; do \
		verilator --lint-only -Wall $(LINT_WAIVERS) --top-module $$(basename $$file .v) $$file || exit 1; \
	done
	cargo run --quiet --package edge-moe-hdl --bin emit -- ulx3s-85f --out $(OUT)/boards
	for file in $(OUT)/boards/*/*.v; do \
		verilator --lint-only -Wall $(LINT_WAIVERS) -Wno-PINCONNECTEMPTY --top-module serial_board $$file || exit 1; \
	done

BOARD ?= ulx3s-85f

# Two jobs: the command is compiled while the tools are busy.
bitstream: setup setup-python
	$(MAKE) --directory bitstreams BOARD=$(BOARD) --jobs=2 all

bitstream-ship: setup setup-python
	$(MAKE) --directory bitstreams BOARD=$(BOARD) ship

floorplan: setup setup-python
	$(MAKE) --directory bitstreams BOARD=$(BOARD) floorplan

# ONNX Runtime, beside which the software device is timed.
PYTHON := target/benchmarks-python

bench: setup-rtl $(PYTHON)/installed bench-fidelity
	cargo bench --package edge-moe --package edge-moe-hdl --package edge-moe-benchmarks
	for results in cpu accelerator sweep; do \
		cargo run --release --package edge-moe-benchmarks --features sim -- $$results || exit 1; \
	done

# How true the answers are; with EDGE_MOE_WEIGHTS=DIR also those of Edge-MoE's released weights.
FIDELITY := target/release/edge-moe fidelity
RESULTS  := benchmarks/results

bench-fidelity: setup
	mkdir -p $(OUT)
	cargo build --release --bin edge-moe
	$(FIDELITY) $(MODEL) samples/street --json > $(OUT)/fidelity.json && mv $(OUT)/fidelity.json $(RESULTS)/fidelity-plain.json
	$(FIDELITY) $(MODEL) samples/street --outliers 1 --json > $(OUT)/fidelity.json && mv $(OUT)/fidelity.json $(RESULTS)/fidelity-outliers.json
ifdef EDGE_MOE_WEIGHTS
	target/release/edge-moe import-edge-moe $(EDGE_MOE_WEIGHTS) -o $(OUT)/edge-moe.safetensors --fill-missing 1 --picture $(OUT)/edge-moe.png
	$(FIDELITY) $(OUT)/edge-moe.safetensors $(OUT)/edge-moe.png --json > $(OUT)/fidelity.json && mv $(OUT)/fidelity.json $(RESULTS)/fidelity-edge-moe.json
endif

$(PYTHON)/installed: benchmarks/requirements.txt | setup-python
	python3 -m venv $(PYTHON)
	$(PYTHON)/bin/pip install --quiet --requirement benchmarks/requirements.txt
	touch $@

bench-report: setup
	cargo run --release --package edge-moe-benchmarks -- report

docs: setup bench-report
	UPDATE_DOCS=1 cargo test --package edge-moe-isa --test docs

setup:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { $(APT) update && $(APT) install --yes build-essential; }

setup-python:
	@python3 -c "import ensurepip" 2>/dev/null || { $(APT) update && $(APT) install --yes python3-venv; }

setup-rtl: setup
	@for tool in verilator yosys g++; do command -v $$tool >/dev/null || missing=yes; done; \
	test -e /usr/include/zlib.h || missing=yes; \
	test -z "$$missing" || { $(APT) update && $(APT) install --yes verilator yosys g++ zlib1g-dev; }
