import { defineConfig } from "vite";

/** The pages that play packages: beside the client, on an origin of its own, so that it shares nothing with it. */
export default defineConfig({
  base: "./",
  publicDir: false,
  build: {
    outDir: "dist/player",
    emptyOutDir: true,
    modulePreload: false,
    chunkSizeWarningLimit: 500,
    rollupOptions: {
      input: { player: "src/player/player.ts", h5p: "src/player/h5p.ts" },
      output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
    },
  },
});
