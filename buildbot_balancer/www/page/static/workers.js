// SPDX-License-Identifier: GPL-2.0-or-later
// The workers: what their owners say, what they do, and why one gets nothing.

import {announce} from './announcer.js';
import {Actions, REASON, UNTIL} from './dialog.js';
import {ChoiceFilter, Filters, TextFilter} from './filters.js';
import {h, Link, useEffect, useRef} from './globals.js';
import {href, WorkerLink} from './links.js';
import {MOODS, Mood, Words} from './mood.js';
import {Notice, Trouble} from './notice.js';
import {count, Pager, usePages} from './pager.js';
import {useResource} from './resource.js';
import {Sparkline} from './sparkline.js';
import {Table} from './table.js';
import {Age} from './time.js';

const LIMIT = 25;
const FEW = 3;  // changes of mood that are named one by one

export function Workers() {
  const pages = usePages(LIMIT);
  const mood = pages.params.get('mood') ?? '';
  const name = pages.params.get('name') ?? '';
  const narrowed = mood !== '' || name !== '';
  const workers = useResource('balancer/workers', {
    offset: pages.offset, limit: LIMIT, order: 'name', mood, name__contains: name,
  }, {
    topics: ['balancer_workers/*/*'],
    // where a filter is set, a worker that is not shown may come to be
    concerns: (id, rows) => narrowed || rows.some((row) => `${row.workerid}` === id),
  });
  useChanges(workers.rows);
  return h('section', null,
    h('h1', null, 'Workers', workers.total === null ? '' : h('small', null, count(workers.total))),
    h(Filters, null,
      h(TextFilter, {label: 'Name', name: 'name', pages}),
      h(ChoiceFilter, {
        label: 'Mood', name: 'mood', pages,
        choices: [['', 'any'], ...MOODS.map((one) => [one, one])],
      }),
      h('span', {className: 'balancer-legend'}, 'Last hour:',
        h('b'), 'load per CPU', h('b'), 'builds')),
    h(Trouble, {resource: workers}),
    h(List, {narrowed, workers}),
    workers.rows === null ? null
      : h(Pager, {pages, shown: workers.rows.length, total: workers.total}));
}

function List({narrowed, workers}) {
  const {busy, refresh, rows} = workers;
  if (rows === null) {
    return null;
  }
  if (rows.length === 0) {
    return h(Notice, null, narrowed
      ? 'No worker is like that.' : 'No worker is configured on this master.');
  }
  const columns = [
    {name: 'Worker', cell: (row) => h(WorkerLink, {id: row.workerid, name: row.name})},
    {name: 'Mood', cell: (row) => h(Says, {row})},
    {name: 'What it does', wide: true, cell: (row) => row.summary},
    {name: 'Load', number: true, cell: (row) => h(Load, {row})},
    {name: 'Builds', number: true, cell: (row) => row.running},
    {name: 'Last hour', cell: (row) => h(Sparkline, {id: row.workerid, name: row.name})},
    {name: 'Actions', cell: (row) => h(WorkerActions, {refresh, row})},
  ];
  return h(Table, {
    busy, caption: 'Workers', columns, rows, rowKey: (row) => row.workerid,
  });
}

function Says({row}) {
  return h('span', null, h(Mood, {mood: row.mood}), ' ', h(Words, row));
}

function Load({row}) {
  const load = row.load === null
    ? h('span', {className: 'balancer-faint'}, 'unknown')
    : h('span', {title: 'per CPU'}, row.load.toFixed(2));
  return row.fresh || row.reported_at === null ? load
    : h('span', null, load, h('small', {className: 'balancer-faint'},
      'heard ', h(Age, {at: row.reported_at}), ' ago'));
}

function WorkerActions({refresh, row}) {
  const path = `balancer/workers/${row.workerid}`;
  const set = {
    method: 'set',
    path,
    verb: 'Set',
    title: `Set the mood of ${row.name}`,
    text: 'An owner who says no is not overruled.',
    fields: [{name: 'mood', label: 'Mood', choices: MOODS}, REASON, UNTIL],
    done: `The mood of ${row.name} is set.`,
  };
  const drain = {
    method: 'drain',
    path,
    verb: 'Drain',
    title: `Drain ${row.name}`,
    text: 'It starts nothing new; what runs may finish.',
    fields: [REASON, UNTIL],
    done: `${row.name} is being drained.`,
  };
  const resume = {
    method: 'resume',
    path,
    verb: 'Resume',
    title: `Resume ${row.name}`,
    done: `${row.name} is left to its owner again.`,
  };
  return h(Actions, {actions: [set, drain, resume], onDone: refresh},
    h(Link, {
      className: 'balancer-more',
      to: href('history', {worker: row.name}),
      'aria-label': `History of ${row.name}`,
    }, 'History'));
}

// Says which of the workers that are shown have changed their mood.
function useChanges(rows) {
  const known = useRef(new Map());
  useEffect(() => {
    if (rows === null) {
      return;
    }
    const changed = rows.filter((row) => {
      const before = known.current.get(row.workerid);
      return before !== undefined && before !== row.mood;
    });
    known.current = new Map(rows.map((row) => [row.workerid, row.mood]));
    if (changed.length > FEW) {
      announce(`${changed.length} workers have changed their mood.`);
    } else if (changed.length > 0) {
      announce(`${changed.map((row) => `${row.name} is ${row.mood}`).join(', ')}.`);
    }
  }, [rows]);
}
