import { midnight } from '@halley/shared/duration';
import type { ChatEvent, Said, Shared } from '../wire/shapes';
import type { Chat } from './state';
import { shownAddress, tellNotice } from './notice-rows';
import type { Fact } from './fact';
import { Names } from './names';
import { isRouting, sentence } from './sentences';
import { isStaff } from './transcript';

/** What a conversation consists of on the page. The key stays the same for as long as the row is the same thing. */
export type Row =
    | { readonly kind: 'day'; readonly key: string; readonly at: number }
    | { readonly kind: 'away'; readonly key: string; readonly count: number }
    | ({ readonly kind: 'fact'; readonly key: string } & Fact)
    | { readonly kind: 'routing'; readonly key: string; readonly facts: readonly Fact[] }
    /** What programs told each other, one after the other. */
    | { readonly kind: 'notices'; readonly key: string; readonly facts: readonly Fact[] }
    | {
          readonly kind: 'file';
          readonly key: string;
          readonly shared: Shared;
          readonly side: 'visitor' | 'agent';
          readonly mine: boolean;
          readonly name: string;
          /** It has been deleted since. */
          readonly gone: boolean;
      }
    | {
          readonly kind: 'line';
          readonly key: string;
          readonly said: Said;
          readonly side: 'visitor' | 'agent';
          readonly mine: boolean;
          readonly name: string;
          /** For whom the line is if the customer does not see it. */
          readonly aside: string | null;
          /** The first and the last of a group of lines by one person with little time between them. */
          readonly first: boolean;
          readonly last: boolean;
      };

type Line = Extract<Row, { kind: 'line' }>;

const GROUP_SPAN = 120_000;

/** Takes the rows of before wherever nothing about them changed, so that only what did is drawn again. */
export function reuseRows(before: ReadonlyMap<string, Row>, rows: readonly Row[]): Row[] {
    return rows.map((row) => {
        const old = before.get(row.key);
        return old && alike(old, row) ? old : row;
    });
}

function alike(a: Row, b: Row): boolean {
    if (a.kind === 'line' && b.kind === 'line') {
        return a.said === b.said && a.first === b.first && a.last === b.last;
    }
    if (a.kind === 'file' && b.kind === 'file') return a.shared === b.shared && a.gone === b.gone;
    if (a.kind === 'routing' && b.kind === 'routing') return a.facts.length === b.facts.length;
    if (a.kind === 'notices' && b.kind === 'notices') return a.facts.length === b.facts.length;
    if (a.kind === 'away' && b.kind === 'away') return a.count === b.count;
    return a.kind === b.kind;
}

/**
 * Lays out a chat's events as rows, as agent `me` sees them, from the event with the index `from` on. Of those
 * before it only what the rows need is read: who is who, and whether the visitor is away.
 */
export function rowsOf(chat: Pick<Chat, 'events' | 'away'>, me: number, from = 0): Row[] {
    const rows: Row[] = [];
    const names = new Names(me);
    let day = 0;
    let marked = chat.away === null;
    const gone = new Set(chat.events.flatMap((event) => (event.type === 'unshared' ? [event.file] : [])));
    for (const event of chat.events) {
        names.learn(event);
        const spoken = event.type === 'said' || event.type === 'shared';
        const missed = !marked && event.index > chat.away!.after && spoken && event.from?.staff !== me;
        if (event.index < from) {
            marked ||= missed;
            names.tell(event);
            continue;
        }
        if (!spoken && sentence(event, names) === null) continue;
        if (midnight(event.at) !== day) {
            day = midnight(event.at);
            rows.push({ kind: 'day', key: `day${day}`, at: event.at });
        }
        if (missed) {
            rows.push({ kind: 'away', key: 'away', count: chat.away!.count });
            marked = true;
        }
        if (event.type === 'said') addLine(rows, event, me, names);
        else if (event.type === 'shared') rows.push(fileRow(event, me, gone));
        else addFact(rows, factOf(event, names), event.type === 'noticed' ? 'notices' : isRouting(event) && 'routing');
        names.tell(event);
    }
    return rows;
}

function factOf(event: ChatEvent, names: Names): Fact {
    const fact = { index: event.index, at: event.at };
    if (event.type === 'noticed') return { ...fact, ...tellNotice(event, names) };
    return { ...fact, text: sentence(event, names)!, ...shownAddress(event) };
}

function addLine(rows: Row[], said: Said, me: number, names: Names): void {
    const before = rows.at(-1);
    const joins = before?.kind === 'line' && together(before, said);
    if (joins) rows[rows.length - 1] = { ...before, last: false };
    rows.push({
        kind: 'line',
        key: `e${said.index}`,
        said,
        side: isStaff(said.from?.role) ? 'agent' : 'visitor',
        mine: said.from?.staff === me,
        name: said.from?.name ?? '',
        aside: aside(said, names),
        first: !joins,
        last: true,
    });
}

function aside(said: Said, names: Names): string | null {
    if (!said.audience) return null;
    if (said.audience !== 'private') return 'Staff only';
    const to = (said.to ?? []).flatMap((no) => names.participant(no)?.replace(/^You$/, 'you') ?? []);
    return to.length === 0 ? 'Private' : `Private, for ${[...new Set(to)].join(', ')}`;
}

function fileRow(shared: Shared, me: number, gone: ReadonlySet<string>): Row {
    return {
        kind: 'file',
        key: `e${shared.index}`,
        shared,
        side: isStaff(shared.from?.role) ? 'agent' : 'visitor',
        mine: shared.from?.staff === me,
        name: shared.from?.name ?? '',
        gone: gone.has(shared.file),
    };
}

/** Lines that not everybody sees stand alone, so that each says for whom it is. */
function together(before: Line, said: Said): boolean {
    return (
        before.said.from?.no === said.from?.no &&
        !before.said.audience &&
        !said.audience &&
        said.at - before.said.at < GROUP_SPAN
    );
}

/** Adds a fact, to those of its kind right before it if they are of a kind that is folded. */
function addFact(rows: Row[], fact: Fact, folded: 'routing' | 'notices' | false): void {
    const before = rows.at(-1);
    if (!folded) rows.push({ kind: 'fact', key: `e${fact.index}`, ...fact });
    else if (before?.kind === folded) rows[rows.length - 1] = { ...before, facts: [...before.facts, fact] };
    else rows.push({ kind: folded, key: `e${fact.index}`, facts: [fact] });
}
