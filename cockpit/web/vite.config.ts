/// <reference types="vitest/config" />
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

// The brain to talk to while developing: CITYBRAIN=http://127.0.0.1:8080 npm run dev (or the mock: npm run mock).
const brain = process.env.CITYBRAIN ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [vue()],
  server: { proxy: Object.fromEntries(['/cockpit', '/party', '/log', '/hub'].map((path) => [path, brain])) },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    chunkSizeWarningLimit: 1300, // MapLibre, loaded on demand
    rollupOptions: {
      output: {
        // The big two get files of their own, so that an update of ours does not make every screen load them again.
        manualChunks(id) {
          if (id.includes('node_modules/maplibre-gl')) return 'maplibre';
          if (id.includes('node_modules/echarts') || id.includes('node_modules/zrender')) return 'echarts';
          if (id.includes('node_modules/@noble')) return 'noble';
          return undefined;
        },
      },
    },
  },
  test: { include: ['src/**/*.test.ts', 'mock/**/*.test.ts'], environment: 'node' },
});
