// The types of preact.js, for the linter. The packages are those of tests/javascript/package.json.
import type { VNode } from "preact";
export { render, createContext } from "preact";
export {
  useState, useReducer, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useContext, useErrorBoundary,
} from "preact/hooks";
export function html(parts: TemplateStringsArray, ...values: unknown[]): VNode;
