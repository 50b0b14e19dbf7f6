# syntax=docker/dockerfile:1

# The image of the one binary.
#
#     docker build --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) --tag shadowdiff:0.1.0 .
#
# The builder and the runtime are both Debian 12, so that the C library fits.

FROM rust:1.95-slim-bookworm AS builder
WORKDIR /build
COPY . .
# One cache of compiled crates for each architecture: they do not mix.
ARG TARGETARCH
# Cargo compares time stamps. Files that are older than what another build left in the cache would be taken for built, so
# all are new. The cache is no part of the image, so the binary is copied out of it in the same step.
RUN --mount=type=cache,id=shadowdiff-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=shadowdiff-target-${TARGETARCH},target=/build/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + \
    && cargo build --profile dist --locked --package shadowdiff --bin shadowdiff \
    && install -D target/dist/shadowdiff /out/shadowdiff

# No shell and no package manager; it has the C library and the root certificates.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="shadowdiff" \
      org.opencontainers.image.description="Compares the live and the shadow output of a data pipeline, account by account" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
COPY LICENSE /usr/share/doc/shadowdiff/LICENSE
COPY --from=builder /out/shadowdiff /usr/local/bin/shadowdiff
# As a number: Kubernetes cannot tell from a name that it is not root.
USER 65532:65532
# Coordinator: gRPC and metrics. Worker: health.
EXPOSE 7400 7401 7402
ENTRYPOINT ["/usr/local/bin/shadowdiff"]
CMD ["--help"]
