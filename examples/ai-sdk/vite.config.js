import react from "@vitejs/plugin-react";

// Where Parley listens: the page and the API then have one origin.
const parley = process.env.PARLEY_URL ?? "http://127.0.0.1:8000";

export default {
  plugins: [react()],
  server: { host: "127.0.0.1", proxy: { "/ui": parley, "/sessions": parley } },
  preview: { host: "127.0.0.1", proxy: { "/ui": parley, "/sessions": parley } },
};
