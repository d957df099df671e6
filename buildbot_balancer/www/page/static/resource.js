// SPDX-License-Identifier: GPL-2.0-or-later
// Something of the data API, kept true: an event says that it may be another by now, and it is
// asked for again. A slow poll is the net below that.

import {get} from './api.js';
import {useEffect, useRef, useState} from './globals.js';
import {isLive, listen} from './live.js';

const GAP = 1000;  // milliseconds between two looks, at least
const SHARE = 4;  // a slow master is asked less: this many times as long as it took
const POLL = 30000;
const POLL_ALONE = 8000;  // while there are no events

const NOTHING = {rows: null, total: null, problem: null, busy: true, at: null};

// `path` null: nothing is asked for. `topics`: the events that concern it; `concerns(id, rows)`:
// false for an event that cannot change what is shown; `every`: how often to look without an
// event. Returns {rows, total, problem, busy, at, refresh}; rows is null until the first answer,
// and what was last known while there is a problem.
export function useResource(path, query = {}, {topics = [], concerns = always, every} = {}) {
  const [state, setState] = useState(NOTHING);
  const look = useRef(null);
  const latest = useRef({});
  latest.current = {concerns, rows: state.rows};
  const key = JSON.stringify([path, query, topics]);
  useEffect(() => {
    if (path === null) {
      return undefined;
    }
    setState((before) => ({...before, busy: true}));
    const keeper = keep(path, query, every, setState);
    look.current = keeper.soon;
    const heard = (id) => {
      const {concerns: asked, rows} = latest.current;
      if (id === null || id === 'all' || rows === null || asked(id, rows)) {
        keeper.soon();
      }
    };
    const ends = topics.map((topic) => listen(topic, heard));
    return () => {
      keeper.stop();
      ends.forEach((end) => end());
    };
  }, [key]);
  return {...state, refresh: () => look.current?.()};
}

const always = () => true;

function keep(path, query, every, setState) {
  let stopped = false;
  let asking = false;
  let again = false;  // something happened while the master was being asked
  let timer = null;
  let free = 0;  // when the next look may be

  async function look() {
    clearTimeout(timer);
    timer = null;
    asking = true;
    again = false;
    const began = performance.now();
    const found = await get(path, query).then(
      ({rows, total}) => ({rows, total, problem: null, busy: false, at: Date.now() / 1000}),
      (problem) => ({problem, busy: false}));
    asking = false;
    if (stopped) {
      return;
    }
    const now = performance.now();
    free = now + Math.max(GAP, SHARE * (now - began));
    // what a 404 says is gone is not shown any more; after no answer the last one stays
    const lost = found.problem?.status === 404 ? {rows: null, total: null} : {};
    setState((before) => ({...before, ...found, ...lost}));
    plan(again ? free - now : every ?? (isLive() ? POLL : POLL_ALONE));
  }

  function plan(wait) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      // a page that nobody sees asks again when it is looked at
      if (!document.hidden) {
        look();
      }
    }, Math.max(0, wait));
  }

  function soon() {
    if (asking) {
      again = true;
    } else {
      plan(free - performance.now());
    }
  }

  document.addEventListener('visibilitychange', soon);
  look();
  return {
    soon,
    stop() {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', soon);
    },
  };
}
