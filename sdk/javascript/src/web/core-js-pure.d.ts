/** The two of core-js-pure that are used; they have the types of the web's. */

declare module "core-js-pure/actual/url" {
  const url: typeof URL;
  export default url;
}

declare module "core-js-pure/actual/url-search-params" {
  const params: typeof URLSearchParams;
  export default params;
}
