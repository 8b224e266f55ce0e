import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.LYCEUM_SERVER ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/app/",
  plugins: [react()],
  // Data addresses are not allowed for fonts by the content security policy.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 900 },
  // The server refuses writes of another origin; the browser knows this host.
  server: { proxy: { "/api": { target: server, changeOrigin: false } } },
  test: { include: ["src/**/*.test.ts"] },
});
