declare module "jssip/lib/Dialog";
