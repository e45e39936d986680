# make run    answer a street picture: class map, depth map, expert routing in out/
# make test   every test
# make lint   formatting, clippy, rustdoc
# make bench  the software device against the float reference
# make docs   bring the generated parts of docs/ up to date
#
# Both `run` and `test` install what they need (Debian packages, with sudo
# unless root). Rust itself must be there: https://rustup.rs

MODEL   ?= models/m3vit-street-tiny.f16.safetensors
PICTURE ?= samples/street/000.png
OUT     ?= out

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
APT  := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get

.PHONY: run test lint bench docs setup setup-rtl

run: setup
	cargo build --release --bin edge-moe
	target/release/edge-moe run $(MODEL) $(PICTURE) --calibrate samples/street --out $(OUT)

test: setup-rtl
	cargo test --workspace
	cargo test --release --package edge-moe --test determinism

lint: setup
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

bench: setup
	cargo bench --package edge-moe

docs: setup
	UPDATE_DOCS=1 cargo test --package edge-moe-isa --test docs

setup:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { $(APT) update && $(APT) install --yes build-essential; }

setup-rtl: setup
	@command -v verilator >/dev/null && command -v g++ >/dev/null && test -e /usr/include/zlib.h \
		|| { $(APT) update && $(APT) install --yes verilator g++ zlib1g-dev; }
