// @alpinejs/csp ships no types; this is the part of it that app.ts uses.
declare module "@alpinejs/csp" {
  const Alpine: {
    data(name: string, component: () => object): void;
    start(): void;
  };
  export default Alpine;
}
