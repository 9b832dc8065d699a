import { expect, it } from 'vitest';
import { fieldMessage, fieldName } from './fieldMessage';

it('makes sentences of what the panel says, without its keys', () => {
  expect(fieldMessage('is missing', 'Image')).toBe('Image is required.');
  expect(fieldMessage('is needed', 'Password')).toBe('Password is required.');
  expect(fieldMessage('must not be empty', 'Password')).toBe('Password is required.');
  expect(fieldMessage('must have at least 5 characters', 'Password')).toBe('At least 5 characters.');
  expect(fieldMessage('must be between 1 and 8', 'Players')).toBe('Between 1 and 8.');
  expect(fieldMessage('must be one of: dm,ctf', 'Game')).toBe('One of: dm, ctf.');
  expect(fieldMessage('is taken', 'User name')).toBe('That name is already taken.');
  expect(fieldMessage('must be 0 for no limit, or at least 16777216', 'Memory', 'limits.memory')).toBe('At least 16 MB.');
  expect(fieldMessage('must be at least 5 characters long', 'Password')).toBe('At least 5 characters.');
  expect(fieldMessage('must be from 1 to 65535', 'Port')).toBe('Between 1 and 65535.');
  expect(fieldMessage('must be one of dm,ctf', 'Game')).toBe('One of: dm, ctf.');
  expect(fieldMessage('has letters that it must not have', 'Map')).toBe('Map has letters that it must not have.');
  expect(fieldMessage('Name is required.', 'Name')).toBe('Name is required.');
});

it('names a field by its last part', () => {
  expect(fieldName('environment.PASSWORD')).toBe('PASSWORD');
  expect(fieldName('ports[0].external')).toBe('external');
  expect(fieldName('image')).toBe('image');
});
