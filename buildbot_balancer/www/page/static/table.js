// SPDX-License-Identifier: GPL-2.0-or-later
// A table; where it is narrow, a list of cards. The roles are said because browsers drop them
// from a table that is laid out as blocks.

import {h} from './globals.js';

// columns: [{name, cell(row), wide, number}]; `rowKey(row)` is unique.
export function Table({busy, caption, columns, rowKey, rows}) {
  return h('table', {className: 'balancer-table', role: 'table', 'aria-busy': busy},
    h('caption', {className: 'balancer-unseen'}, caption),
    h('thead', {role: 'rowgroup'},
      h('tr', {role: 'row'}, columns.map(({name, number}) =>
        h('th', {key: name, role: 'columnheader', scope: 'col', 'data-number': number}, name)))),
    h('tbody', {role: 'rowgroup'}, rows.map((row) =>
      h('tr', {key: rowKey(row), role: 'row'}, columns.map(({cell, name, number, wide}) =>
        h('td', {
          key: name, role: 'cell', 'data-label': name, 'data-number': number, 'data-wide': wide,
        }, cell(row)))))));
}
