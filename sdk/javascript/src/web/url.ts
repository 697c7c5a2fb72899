/** `URL` and `URLSearchParams`, which QuickJS does not have: the build puts them in where a program names them. */

import PureURL from "core-js-pure/actual/url";
import PureURLSearchParams from "core-js-pure/actual/url-search-params";

export { PureURL as URL, PureURLSearchParams as URLSearchParams };
