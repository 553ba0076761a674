# netrelay in an image of its own: nothing but the binary.
#
#   docker build -t netrelay .
#   docker run --rm -p 5000:5000 netrelay -l 5000
#
# For a bridge of the host: --network host --cap-add NET_ADMIN --device /dev/net/tun

FROM alpine:3.20 AS build
RUN apk add --no-cache gcc git libmnl-dev libmnl-static linux-headers make musl-dev pkgconf
COPY . /src
RUN make -C /src BUILD=/build

FROM scratch
COPY --from=build /build/netrelay /netrelay
ENTRYPOINT ["/netrelay"]
