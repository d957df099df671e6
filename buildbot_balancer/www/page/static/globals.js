// SPDX-License-Identifier: GPL-2.0-or-later
// What Buildbot's UI offers to its plugins, under the names that are used here.

export const {
  Component, createElement: h, Fragment, useCallback, useEffect, useId, useMemo, useRef, useState,
} = window.React;
export const {
  Link, Navigate, NavLink, Route, Routes, useLocation, useParams, useSearchParams,
} = window.ReactRouterDOM;
export const {getRestUrl, getWebSocketUrl} = window.BuildbotDataJs;
export const {useTopbarItems} = window.BuildbotUi;
export const {moment} = window;
