import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';

// The development server stands in front of a running Halley, so that the desk, its sign-in and
// its Bayeux connection share one origin there as they do when Halley serves the built files.
const server = 'http://127.0.0.1:8080';

export default defineConfig({
    base: '/desk/',
    plugins: [vue()],
    build: {
        target: ['chrome123', 'firefox121', 'safari17.5'],
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
    },
    server: {
        host: '127.0.0.1',
        proxy: {
            '/api': { target: server },
            '/desk/cometd': { target: server, ws: true },
        },
    },
    // Long enough for a machine that is busy with something else; no test asserts speed.
    test: { include: ['test/**/*.test.ts'], testTimeout: 60_000 },
});
