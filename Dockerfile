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
      ccache cmake file g++ gzip ninja-build pkg-config libabsl-dev libboost-dev libcld2-dev libexpat1-dev \
      libgrpc++-dev libicu-dev libprotobuf-dev libsentencepiece-dev libssl-dev nlohmann-json3-dev \
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

# nginx with the site of deploy/nginx, the public door of the server.
#   docker build --target proxy -t sheaf-proxy .
# It expects /etc/sheaf/tls/tls.crt and tls.key, and a server on 127.0.0.1:50051 (gRPC)
# and 127.0.0.1:5000 (HTTP), in the same pod or network namespace. openssl makes the
# certificate of compose.yaml.
FROM ${BASE} AS proxy
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      nginx-light openssl \
 && rm -rf /var/lib/apt/lists/* \
 && ln -sf /dev/stdout /var/log/nginx/sheaf.log \
 && install -d -o 65532 -g 65532 /etc/sheaf/tls
COPY deploy/nginx/nginx.conf deploy/nginx/sheaf.conf deploy/nginx/sheaf-http.conf /etc/nginx/sheaf/
USER 65532:65532
EXPOSE 50443 5443
# nginx finishes the calls under way; SIGTERM would break them.
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/usr/sbin/nginx", "-c", "/etc/nginx/sheaf/nginx.conf"]

FROM scratch
COPY --from=build /image /
USER 65532:65532
# gRPC, HTTP (with --http_listen) and /metrics.
EXPOSE 50051 5000 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s \
  CMD ["/usr/bin/sheaf", "health", "--server=127.0.0.1:50051"]
ENTRYPOINT ["/usr/bin/sheaf-server"]
