# Our image for those who have a container engine; `./run image` makes the same without one. For both architectures:
#
#     docker buildx build --platform linux/amd64,linux/arm64 --tag REGISTRY/holdfast:VERSION --push .
#
# BASE is any Debian 12. Packages are those of packages.txt, and programs lie where scripts/image_tree.sh puts them.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive
WORKDIR /source
COPY packages.txt ./
COPY scripts/ scripts/
RUN bash -ec '. scripts/common.sh; . scripts/packages.sh; need_packages build'
COPY . .
RUN cmake --preset release && cmake --build build && scripts/image_tree.sh build/bin /image

FROM ${BASE}
LABEL org.opencontainers.image.title="holdfast" org.opencontainers.image.version="0.1.0" org.opencontainers.image.licenses="Apache-2.0"
COPY packages.txt /tmp/source/
COPY scripts/ /tmp/source/scripts/
RUN DEBIAN_FRONTEND=noninteractive bash -ec '. /tmp/source/scripts/common.sh; . /tmp/source/scripts/packages.sh; need_packages image' && \
    rm -rf /tmp/source /var/lib/apt/lists /var/cache/apt
COPY --from=build /image/ /
