# What a developer runs often. `just` lists it; each recipe is one command of CONTRIBUTING.md.

# This list.
default:
    @just --list

# The product.
build:
    cargo build --release --locked

# All tests; they run the binary that was built.
test: build
    cargo test --release --workspace --locked

# The deciding part alone.
core filter="":
    cargo test --release --locked -p shadowdiff-core -p shadowdiff-common --lib {{filter}}

# One case, or all whose name holds the word.
case name="": build
    SHADOWDIFF_CASE={{name}} cargo test --release --locked -p shadowdiff-tests --test all cases::

# The simulations of scheduler and coordinator, from one seed on.
simulate seed="1" seeds="1000":
    SHADOWDIFF_SEED={{seed}} SHADOWDIFF_SEEDS={{seeds}} cargo test --release --locked --workspace --lib simulation

# The inner loops, measured; a name chooses.
bench filter="":
    cargo bench --manifest-path bench/Cargo.toml -- {{filter}}

# The whole command beside DuckDB and Polars, into docs/benchmarks.md; needs `pip install -r bench/requirements.txt`.
compare-peers *arguments: build
    python3 bench/run.py {{arguments}}

# A cluster on S3 beside those of Spark and Sail, a worker killed; needs `pip install -r bench/requirements-distributed.txt`.
compare-clusters *arguments: build
    python3 bench/distributed.py bench/target/scale-1 {{arguments}}

# New inputs for the parsers, a minute each; needs a nightly toolchain and cargo-fuzz.
fuzz seconds="60":
    FUZZ_SECONDS={{seconds}} bash .ci/fuzz.sh

# The cheap checks of .ci/run.
check:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets --locked -- -D warnings
    cargo test --release --locked -p shadowdiff-tests --test all tidy::

# What must hold before a change goes in.
ci:
    bash .ci/run
