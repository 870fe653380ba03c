export const greet = (name, greeting = 'hello') => `${greeting[0].toUpperCase()}${greeting.slice(1)}, ${name}!`;
