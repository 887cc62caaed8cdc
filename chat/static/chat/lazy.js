// What is imported or created when it is first needed, so that the page starts sooner.

// A module.
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

// Return a function that returns the value that `create` returns at the first call.
export function lazily(create) {
  let value;
  return () => (value ??= create());
}
