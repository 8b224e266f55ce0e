import { defineConfig } from "@playwright/test";

// Without these, a browser in a closed network waits for its maker's hosts.
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"];
args.push("--disable-background-networking", "--disable-component-update");

export default defineConfig({
  testDir: "e2e",
  timeout: 45_000,
  workers: 1,
  reporter: "line",
  use: {
    baseURL: process.env.LYCEUM_URL,
    launchOptions: { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args },
  },
});
