// Preact and its hooks, from one place: pages and parts import them from here, never from `vendor/`.
export {
  Component, createContext, h, html, render, useCallback, useContext, useEffect, useErrorBoundary, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "./vendor/htm/preact/standalone.module.js";
