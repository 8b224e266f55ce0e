import { defineConfig } from "vite";

/** The page that plays packages: beside the client, on an origin of its own, so that it shares nothing with it. */
export default defineConfig({
  base: "./",
  publicDir: false,
  build: {
    outDir: "dist/player",
    emptyOutDir: true,
    modulePreload: false,
    chunkSizeWarningLimit: 500,
    rollupOptions: {
      input: "src/player/player.ts",
      output: { entryFileNames: "player.js", chunkFileNames: "[name]-[hash].js" },
    },
  },
});
