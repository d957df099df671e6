// SPDX-License-Identifier: GPL-2.0-or-later
// Which part of a long list is shown. It is in the address, so that it survives a reload and can
// be passed on.

import {h, useEffect, useSearchParams} from './globals.js';

// Returns {page, offset, limit, params, change}; `change` puts values into the address, and begins
// at the first page unless `page` is one of them.
export function usePages(limit) {
  const [params, setParams] = useSearchParams();
  const asked = Number.parseInt(params.get('page') ?? '1', 10);
  const page = asked >= 1 && asked < 1e7 ? asked : 1;
  const change = (values, replace = false) => {
    const next = new URLSearchParams(params);
    Object.entries({page: '', ...values}).forEach(([name, value]) => {
      if (value === '' || value === null) {
        next.delete(name);
      } else {
        next.set(name, value);
      }
    });
    setParams(next, {replace});
  };
  return {page, offset: (page - 1) * limit, limit, params, change};
}

// `total` null: the master does not say how many there are.
export function Pager({pages, shown, total}) {
  const {change, limit, offset, page} = pages;
  const last = total === null ? null : Math.max(1, Math.ceil(total / limit));
  const past = last !== null && page > last;  // the list has become shorter
  useEffect(() => {
    if (past) {
      change({page: last}, true);
    }
  }, [past, last]);
  const more = last === null ? shown === limit : page < last;
  if (page === 1 && !more) {
    return null;
  }
  const go = (to) => () => {
    change({page: to});
    document.querySelector('.balancer h1')?.scrollIntoView({block: 'nearest'});
  };
  return h('nav', {className: 'balancer-pager', 'aria-label': 'Pages'},
    h('button', {type: 'button', disabled: page === 1, onClick: go(1)}, 'First'),
    h('button', {type: 'button', disabled: page === 1, onClick: go(page - 1)}, 'Previous'),
    h('span', {role: 'status'}, where(offset, shown, total)),
    h('button', {type: 'button', disabled: !more, onClick: go(page + 1)}, 'Next'),
    last === null ? null
      : h('button', {type: 'button', disabled: !more, onClick: go(last)}, 'Last'));
}

function where(offset, shown, total) {
  const part = shown === 0 ? 'none' : `${count(offset + 1)} to ${count(offset + shown)}`;
  return total === null ? part : `${part} of ${count(total)}`;
}

export const count = (number) => number.toLocaleString('en');
