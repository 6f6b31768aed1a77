/*
 * Packs the sample page with the third-party files that it loads, and no others. The page itself is
 * the list: every script and style sheet it names below node_modules.
 *
 * Without an argument the third-party files are copied to sample-vendor/, where the Go build embeds
 * them; without installed packages there is nothing to copy, and the served page says how to build.
 * With --zip the whole page goes into bin/halley-sample.zip, ready to be opened from the file system.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zip } from './zip.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const sample = join(here, 'sample');
const page = readFileSync(join(sample, 'index.html'), 'utf8');
const named = [...page.matchAll(/\s(?:src|href)="(node_modules\/[^"?#]+)"/g)].map((match) => match[1]);
const absent = named.filter((name) => !existsSync(join(sample, name)));
const complaint = `${absent.join(', ')} missing. Run "npm ci" in web/sample first.`;

if (process.argv.includes('--zip')) {
    if (absent.length > 0) {
        console.error(complaint);
        process.exit(1);
    }
    const own = readdirSync(sample, { withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
        .map((entry) => entry.name);
    const files = [...own, ...named].map((name) => [`halley-sample/${name}`, readFileSync(join(sample, name))]);
    const to = join(here, '..', 'bin', 'halley-sample.zip');
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, zip(files));
    console.log(`bin/halley-sample.zip: ${files.length} files`);
} else {
    const target = join(here, 'sample-vendor');
    rmSync(target, { recursive: true, force: true });
    if (absent.length > 0) console.warn(`The sample is left out: ${complaint}`);
    else {
        for (const name of named) {
            mkdirSync(dirname(join(target, name)), { recursive: true });
            copyFileSync(join(sample, name), join(target, name));
        }
        console.log(`sample-vendor: ${named.length} files`);
    }
}
