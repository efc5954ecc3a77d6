# The image of bunker: one executable on a small base. It runs containers inside a container, with nothing more than:
#
#     docker build --tag bunker .
#     docker run --cap-add=SYS_ADMIN bunker run alpine /bin/echo hey
#
# Where no registry of images is in reach, both bases can be images of one's own: BUILD_BASE needs bun and a shell,
# FINAL_BASE the C library that bun is linked with. With PREBUILT=1 the context's dist/bunker is taken as it is, and
# BUILD_BASE needs the shell alone.
ARG BUILD_BASE=oven/bun:1.4.5
ARG FINAL_BASE=debian:stable-slim

FROM ${BUILD_BASE} AS build
ARG PREBUILT=
WORKDIR /src
COPY package.json bun.lockb bunfig.toml ./
# What is needed to compile: the linter and the compiler of types are not.
RUN [ -n "${PREBUILT}" ] || bun install --production --frozen-lockfile
COPY . .
RUN [ -n "${PREBUILT}" ] || bun run scripts/build.ts

FROM ${FINAL_BASE}
COPY --from=build /src/dist/bunker /usr/local/bin/bunker
# Challenge mode: a command that the image lacks is copied in from this one (docs/adr, challenge mode).
ENV BUNKER_COPY_COMMAND=1
ENTRYPOINT ["/usr/local/bin/bunker"]
