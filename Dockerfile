# An image with sheaf-server, sheaf, the embedded model and the libraries that they
# load. It has no shell and no package manager.
#   docker build -t sheaf .
# deploy/pin_images.sh pins the base to a digest. Its packages are upgraded, because
# the libraries in the image must have Debian's latest security fixes.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS build
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      ccache cmake file g++ gzip ninja-build pkg-config libabsl-dev libboost-dev libgrpc++-dev libicu-dev \
      libprotobuf-dev libsentencepiece-dev libssl-dev nlohmann-json3-dev \
      prometheus-cpp-dev protobuf-compiler protobuf-compiler-grpc zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
COPY . /src
WORKDIR /src
# To keep the compiler's cache, mount it with --volume DIRECTORY:/ccache
ENV CCACHE_DIR=/ccache CCACHE_BASEDIR=/src CCACHE_NOHASHDIR=1
RUN cmake --preset release -DSHEAF_BUILD_TESTS=OFF \
      -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
 && cmake --build --preset release --target sheaf-server sheaf \
 && deploy/image_root.sh build/release /image

FROM scratch
COPY --from=build /image /
USER 65532:65532
EXPOSE 50051 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s \
  CMD ["/usr/bin/sheaf", "health", "--server=127.0.0.1:50051"]
ENTRYPOINT ["/usr/bin/sheaf-server"]
