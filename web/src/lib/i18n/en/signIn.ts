export const signIn = {
  ended: 'Your session has ended. Sign in to go on where you were.',
  title: 'Sign in',
  wrong: 'Wrong name or password',
  failed: 'Sign-in failed',
  busy: 'Signing in …',
  lost: 'Forgot the password? An admin can set a new one, or run this on the panel’s machine:'
};
