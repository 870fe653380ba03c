# Slipway's own image: the server with what its steps call. See docker-compose.yml and docs/tutorial.md.
FROM node:20-trixie-slim AS base

FROM base AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make python3 \
 && rm -rf /var/lib/apt/lists/*
# Where the native module must be compiled, the headers that come with Node's image are used.
ENV npm_config_nodedir=/usr/local
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM base
# docker-compose brings Compose v2 as a plugin of docker-cli; the engine itself is the host's.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates docker-cli docker-compose git openssh-client subversion \
 && rm -rf /var/lib/apt/lists/* \
 && ln -s /app/dist/server/cli/main.js /usr/local/bin/slipway
ENV NODE_ENV=production SLIPWAY_DATA=/var/lib/slipway
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SLIPWAY_PORT || 8080}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["slipway"]
CMD ["server"]
