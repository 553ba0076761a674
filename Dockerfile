# netrelay in an image of its own: nothing but the binary, which is nobody's.
#
#   docker build -t netrelay .
#   docker run --rm -p 5000:5000 --read-only --cap-drop ALL netrelay -l 5000
#
# For a bridge of the host:
#
#   docker run --rm --user 0 --network host --cap-drop ALL --cap-add NET_ADMIN \
#       --device /dev/net/tun netrelay -l 5000 br0
#
# It is process 1 there: it takes signals, and waits for whoever has no parent any more. There is no
# shell in the image, so exec: can't be used. share/compose.yaml joins two of them.

FROM alpine:3.20 AS build
RUN apk add --no-cache bash bearssl-dev bearssl-static gcc git libmnl-dev libmnl-static linux-headers make musl-dev pkgconf
COPY . /src
WORKDIR /src
RUN make BUILD=/build
# Those unit tests that need neither rights nor glibc, without sanitizers, which musl has not.
RUN tests=$(grep -L lib/fault.h test/base/*-test.c test/conf/*-test.c test/frame/*-test.c \
        test/relay/*-test.c test/trunk/*-test.c | sed 's|^test/\(.*\)\.c|/build/test-gcc/\1|') && \
    make -j4 BUILD=/build SANITIZE='-g -O1' $tests && \
    for test in $tests; do $test >/tmp/log || { cat /tmp/log; exit 1; }; done

FROM scratch
ARG VERSION=
LABEL org.opencontainers.image.title="netrelay" \
      org.opencontainers.image.description="Relays Ethernet frames between QEMU machines and bridges" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /build/netrelay /netrelay
USER 65534:65534
ENTRYPOINT ["/netrelay"]
