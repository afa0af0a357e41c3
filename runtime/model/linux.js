export {};
//# sourceMappingURL=linux.js.map