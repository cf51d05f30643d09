// The only file that imports Preact and htm. preact.d.ts has its types.
export {
  html, render, createContext,
  useState, useReducer, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useContext, useErrorBoundary,
} from "../vendor/htm/standalone.module.js";
