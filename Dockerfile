# Our image for those who have a container engine; `./run image` makes the same without one. For both architectures:
#
#     docker buildx build --platform linux/amd64,linux/arm64 --tag REGISTRY/holdfast:VERSION --push .
#
# BASE is any Debian 12, of each of these. On a machine of amd64 the programs of both are built by its own compilers; only the packages
# of the base are set up as the other architecture's, by what runs its programs there (docs/image.md). Packages are those of
# packages.txt, and programs lie where scripts/image_tree.sh puts them.
ARG BASE=debian:bookworm-slim

FROM --platform=$BUILDPLATFORM ${BASE} AS build
ARG TARGETARCH
ENV DEBIAN_FRONTEND=noninteractive
WORKDIR /source
COPY packages.txt ./
COPY scripts/ scripts/
RUN bash -ec '. scripts/common.sh; . scripts/packages.sh; . scripts/build.sh; . scripts/cross.sh; \
    architectures image --arch="$TARGETARCH"; \
    if is_own "$TARGETARCH"; then need_packages build; \
    else need_packages cross; add_arm64 $(packages_of cross-libraries | cut -d" " -f1); fi'
COPY . .
RUN bash -ec '. scripts/common.sh; \
    if is_own "$TARGETARCH"; then cmake --preset release && cmake --build build && scripts/image_tree.sh build/bin /image; \
    else cmake --preset arm64 && cmake --build build/arm64 && scripts/image_tree.sh build/arm64/bin /image; fi'

FROM ${BASE}
LABEL org.opencontainers.image.title="holdfast" org.opencontainers.image.version="0.1.0" org.opencontainers.image.licenses="Apache-2.0"
COPY packages.txt /tmp/source/
COPY scripts/ /tmp/source/scripts/
RUN DEBIAN_FRONTEND=noninteractive bash -ec '. /tmp/source/scripts/common.sh; . /tmp/source/scripts/packages.sh; need_packages image' && \
    rm -rf /tmp/source /var/lib/apt/lists /var/cache/apt
COPY --from=build /image/ /
