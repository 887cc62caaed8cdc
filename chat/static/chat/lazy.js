// A module that is imported when it is first needed.

export class Lazy {
  value = null; // the module, once it is loaded

  constructor(load) {
    this.import = load;
  }

  // Return a promise of the module. After a failure, such as a lost connection, the next call tries again.
  load() {
    this.loading ??= this.import().then(
      (module) => (this.value = module),
      (error) => {
        this.loading = null;
        throw error;
      },
    );
    return this.loading;
  }
}
