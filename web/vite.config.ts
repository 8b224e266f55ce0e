import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.LYCEUM_SERVER ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/app/",
  plugins: [react()],
  // Data addresses are not allowed for fonts by the content security policy.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 900 },
  server: { proxy: { "/api": server } },
  test: { include: ["src/**/*.test.ts"] },
});
