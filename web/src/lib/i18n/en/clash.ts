export const clash = {
  title: 'Changed elsewhere',
  text: 'Somebody changed this while you were editing. Choose which value to keep, then save.',
  mine: 'Your value',
  theirs: 'The other value',
  keepMine: 'Keep mine',
  useTheirs: 'Use the other value',
  empty: 'Empty',
  on: 'On',
  off: 'Off'
};
