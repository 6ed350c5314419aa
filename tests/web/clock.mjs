// Loaded into the app's server before anything else (`node --import`): SIGUSR2 puts its clock back by SLOW_SECONDS, and on
// again the next time.

const real = Date;
let behind = 0;

globalThis.Date = class extends real {
  constructor(...given) {
    super(...(given.length > 0 ? given : [real.now() - behind]));
  }

  static now() {
    return real.now() - behind;
  }
};

process.on("SIGUSR2", () => {
  behind = behind ? 0 : 1000 * Number(process.env.SLOW_SECONDS);
});
