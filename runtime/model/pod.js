export {};
//# sourceMappingURL=pod.js.map