# Runs as an ordinary user on a read-only root:
#   docker run --read-only --tmpfs /tmp -v data:/data -v keys:/keys -p 127.0.0.1:8787:8787 countersign
# First make an installation: the same with `init` at the end, and keep a copy of /keys/countersign.kek elsewhere.
# Not built in CI; its steps were run by hand. This image has no compiler, so that npm leaves the optional pkcs11js out and there is no HSM provider;
# for one, `apt-get install python3 make g++` before npm ci below, and the token's library in the second stage.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
RUN mkdir /data /keys && chown node:node /data /keys && chmod 0700 /data /keys
USER node
VOLUME ["/data", "/keys"]
ENV COUNTERSIGN_DATA=/data COUNTERSIGN_KEYS=/keys COUNTERSIGN_HOST=0.0.0.0
EXPOSE 8787
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve"]
