// SPDX-License-Identifier: GPL-2.0-or-later
// The master's events. Unlike Buildbot's own client this one connects again after a loss, and says
// whether it is connected.

import {getWebSocketUrl, useEffect, useState} from './globals.js';

const SHORTEST = 1000;  // milliseconds until the next attempt
const LONGEST = 30000;
const LINGER = 3000;  // from one view to the next the connection stays

const topics = new Map();  // 'balancer_workers/*/*' -> those who listen
const watchers = new Set();  // of the state of the connection
let socket = null;
let attempts = 0;
let closing = null;
let lastId = 0;

// Calls `heard(id)` at each event of this topic, and with null after a reconnection, when
// anything may have changed. Returns what ends it.
export function listen(topic, heard) {
  const known = topics.get(topic) ?? new Set();
  topics.set(topic, known.add(heard));
  clearTimeout(closing);
  if (socket === null) {
    connect();
  } else if (known.size === 1) {
    send('startConsuming', topic);
  }
  return () => {
    known.delete(heard);
    if (known.size === 0) {
      topics.delete(topic);
      send('stopConsuming', topic);
    }
    if (topics.size === 0) {
      closing = setTimeout(close, LINGER);
    }
  };
}

export const isLive = () => socket !== null && socket.readyState === WebSocket.OPEN;

export function useLive() {
  const [live, setLive] = useState(isLive());
  useEffect(() => {
    const update = () => setLive(isLive());
    watchers.add(update);
    update();
    return () => watchers.delete(update);
  }, []);
  return live;
}

function connect() {
  const made = new WebSocket(getWebSocketUrl(window.location));
  socket = made;
  made.onopen = () => {
    [...topics.keys()].forEach((topic) => send('startConsuming', topic));
    if (attempts > 0) {
      tellAll();
    }
    attempts = 0;
    watchers.forEach((update) => update());
  };
  made.onmessage = (event) => hear(JSON.parse(event.data));
  made.onclose = () => {
    if (socket === made) {
      socket = null;
      retry();
    }
    watchers.forEach((update) => update());
  };
}

function retry() {
  const wait = Math.min(LONGEST, SHORTEST * 2 ** attempts) * (0.5 + Math.random() / 2);
  attempts += 1;
  setTimeout(() => {
    if (socket === null && topics.size > 0) {
      connect();
    }
  }, wait);
}

function close() {
  if (socket !== null && topics.size === 0) {
    const last = socket;
    socket = null;
    last.close();
  }
}

function send(cmd, path) {
  if (isLive()) {
    lastId += 1;
    socket.send(JSON.stringify({cmd, path, _id: lastId}));
  }
}

function hear(message) {
  if (typeof message.k !== 'string') {
    return;  // an answer to what was sent
  }
  const key = message.k.split('/');
  topics.forEach((listeners, topic) => {
    if (matches(topic.split('/'), key)) {
      [...listeners].forEach((heard) => heard(key[1]));
    }
  });
}

function matches(topic, key) {
  return topic.length === key.length && topic.every((part, i) => part === '*' || part === key[i]);
}

function tellAll() {
  topics.forEach((listeners) => [...listeners].forEach((heard) => heard(null)));
}
