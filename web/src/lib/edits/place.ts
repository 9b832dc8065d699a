/** Where drafts are kept in the tab: each account's own, so that whoever signs in next is shown none of them. */
import { forgetInTab } from '../storage';

const DRAFTS = 'edit:';

export const draftPlace = (account: string | undefined, id: string, form: string): string => `${DRAFTS}${account ?? ''}:${id}:${form}`;

/** For whoever signs out. */
export const forgetDrafts = () => forgetInTab(DRAFTS);
