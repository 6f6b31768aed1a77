import { expect, test } from 'vitest';

const sources = import.meta.glob<string>('../src/**/*.{ts,vue}', { query: '?raw', import: 'default', eager: true });

/** The files below src with the files of src that each imports, also for types alone. */
function graph(): Map<string, string[]> {
    const named = (name: string, source: string): string[] =>
        [...source.matchAll(/from '(\.[^']+)'/g)].map((match) => new URL(match[1]!, `file:///${name}`).pathname);
    return new Map(
        Object.entries(sources).map(([path, source]) => [`/${path.slice(3)}`, named(path.slice(3), source)]),
    );
}

test('no file imports itself by way of others', () => {
    const files = graph();
    const find = (name: string): string => [name, `${name}.ts`].find((one) => files.has(one)) ?? name;
    const done = new Set<string>();
    const circles: string[] = [];
    const walk = (name: string, way: readonly string[]): void => {
        if (way.includes(name)) circles.push([...way.slice(way.indexOf(name)), name].join(' -> '));
        if (way.includes(name) || done.has(name)) return;
        for (const to of files.get(name) ?? []) walk(find(to), [...way, name]);
        done.add(name);
    };
    for (const name of files.keys()) walk(name, []);
    expect(circles).toEqual([]);
    expect(files.size).toBeGreaterThan(50);
});
